"""Everything that yao_tasks raises of its own; public as `yao_tasks.errors`.

Each error is named for its case and is a child of `TasksError` and of the built-in that fits.
"""


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


class QueueFull(TasksError):
    """As many jobs wait as the definition's `size` allows."""


class BadJobId(TasksError, ValueError):
    """A job id that is no whole number between 1 and 2**53 - 1, or one that is taken."""


class PoolClosed(TasksError, RuntimeError):
    """The pool takes no more jobs: it was closed, or its process is about to end."""


class JobTimeout(TasksError, TimeoutError):
    """A run took longer than its definition's `timeout`. Given to `event.error`."""


class JobCancelled(TasksError):
    """Somebody cancelled the job. Given to `event.error`."""


class JobLost(TasksError):
    """The job's process ended, or its pool was closed, before the job could end. Given to `event.error`."""


PUBLIC = [error for error in list(globals().values()) if isinstance(error, type)]
for error in PUBLIC:
    # Tracebacks and `JobInfo.error.type` then show the name that a project can import.
    error.__module__ = "yao_tasks.errors"
