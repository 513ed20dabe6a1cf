"""Whether a failed run is followed by another, and when. Pure decisions."""

from yao_tasks.core.definitions import Definition


def delay(definition: Definition, attempt: int) -> float | None:
    """Seconds until the run after `attempt` (counted from 1), None where no retry is left."""
    return definition.attempt_after if attempt <= definition.attempts else None
