"""Everything that yao_tasks raises of its own; public as `yao_tasks.errors`.

Each error is named for its case and is a child of `TasksError` and of the built-in that fits.
"""

from dataclasses import dataclass

from yao_tasks.core.faults import shown

# Ten years, in seconds: a moment this far away is still a date, which those much farther are not.
LONGEST_WAIT = 10 * 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a run that raised, as far as that depends on the exception."""

    again: bool
    """Whether it is tried again, if attempts are left."""
    after: float | None = None
    """Seconds until then; None: as the definition says."""
    asked: bool = False
    """Whether the handler asked for it, with `Retry`."""


class TasksError(Exception):
    """The parent of every error of yao_tasks."""


class TaskNotFound(TasksError, KeyError):
    """No definition has this task id. The text names the nearest one."""

    # KeyError shows its argument's repr; this one has a sentence.
    __str__ = Exception.__str__


class JobNotFound(TasksError, LookupError):
    """No job with this id is known (any more), or the job that was meant has ended."""


class JobElsewhere(JobNotFound):
    """The id belongs to another live process of this machine, whose memory can't be read from here."""


class WorkflowNotFound(TasksError, LookupError):
    """No workflow with this id is known (any more)."""


class QueueFull(TasksError):
    """As many jobs wait as the definition's `size` allows."""


class PoolSaturated(QueueFull):
    """Every worker of the pool is stuck in a run that was cut off, and no more of them are replaced."""


class DuplicateJob(TasksError, ValueError):
    """A live job of the pool has the same arguments, or the same key: `job_id` is its id."""

    def __init__(self, text: str, *, job_id: int) -> None:
        super().__init__(text)
        self.job_id = job_id


class BadJobId(TasksError, ValueError):
    """A job id that is no whole number between 1 and 2**53 - 1, or one that is taken."""


class PoolClosed(TasksError, RuntimeError):
    """The pool takes no more jobs: it was closed, or its process is about to end."""


class JobTimeout(TasksError, TimeoutError):
    """A run took longer than its definition's `timeout`. Given to `event.error`."""


class JobCancelled(TasksError):
    """Somebody cancelled the job. Given to `event.error`."""


class JobExpired(JobCancelled):
    """The job had not started when its time (`expires`) was over. Given to `event.error`."""


class JobLost(TasksError):
    """The job's process ended, or its pool was closed, before the job could end. Given to `event.error`."""


class Retry(TasksError):
    """Raised by a handler: run the job again, `after` seconds from now (None: as its definition says).

    Counts as an attempt; where none is left the job fails.
    """

    def __init__(self, text: str = "", *, after: float | None = None) -> None:
        if after is not None and (
            isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after <= LONGEST_WAIT
        ):
            raise ValueError(
                f"Retry(after={shown(after)}): give a number of seconds, 0 or more, {LONGEST_WAIT:,} at most."
            )
        super().__init__(text or "The handler asked for another run.")
        self.after = after


class GiveUp(TasksError):
    """Raised by a handler: the job fails now, whatever attempts are left. Its text may be shown to users."""


class RemoteError(TasksError):
    """Given to `event.error`: what a handler raised in a process of its own, as text.

    `type`: the exception's name, with its module unless it is a built-in one.
    """

    def __init__(
        self,
        type: str,  # noqa: A002 - JobInfo's name for it
        message: str,
        traceback: str = "",
        verdict: "Verdict | None" = None,
    ) -> None:
        super().__init__(f"{type}: {message}" if message else type)
        self.verdict = verdict
        self.type = type
        self.message = message
        self.traceback = traceback
        # Shown with this one's own traceback, which ends where the answer was read.
        if traceback:
            self.add_note(f"In the worker's process:\n{traceback}")


PUBLIC = [
    error for error in list(globals().values()) if isinstance(error, type) and issubclass(error, TasksError)
]
for error in PUBLIC:
    # Tracebacks and `JobInfo.error.type` then show the name that a project can import.
    error.__module__ = "yao_tasks.errors"


def name_of(cls: type) -> str:
    """A class's dotted name; that of a built-in one alone."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
