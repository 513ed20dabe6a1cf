"""Events that record: named in a definition under `event`, they make its jobs rows of the history.

    "event": {"add": "yao_tasks.events.record_add", "success": "yao_tasks.events.record_success"}

For a task that has `"record": true` they change nothing: its jobs are recorded anyway. Each runs as any event does
and only has the job written, behind its back. RuntimeError outside an event; TypeError or ValueError where the job's
arguments are no strict JSON.
"""

from typing import Any

from yao_tasks import boot
from yao_tasks.core import current


def record_add(job_id: int) -> None:
    """`event.add`: write the job as it was added."""
    _record()


def record_progress(job_id: int, progress: float, total: float, message: str) -> None:
    """`event.progress`: write how far it is, five times a second at most."""
    _record()


def record_success(job_id: int, result: Any) -> None:
    """`event.success`: write its end and its result."""
    _record()


def record_error(job_id: int, exception: BaseException) -> None:
    """`event.error`: write its end and its error."""
    _record()


def _record() -> None:
    marker = current.marker()
    if marker is None:
        raise RuntimeError("yao_tasks.events are for a definition's `event`: there is no job here to record.")
    boot.engine(marker[2].life.task).record(marker[0])
