"""Failures as text, and the exceptions that stand for ends which nobody raised."""

import traceback

from yao_tasks.core.errors import JobCancelled, JobExpired, JobLost, JobTimeout, RemoteError, name_of
from yao_tasks.core.jobs import JobError
from yao_tasks.core.log import safe_text

# Enough for a deep stack with its causes; a recursion error's would be megabytes.
TRACEBACK_LIMIT = 64 * 1024
MESSAGE_LIMIT = 4 * 1024
FRAMES = 50
# Above the handler's: `Runner.run`.
OUR_FRAMES = 1


_CLASSES = {name_of(cls): cls for cls in (JobTimeout, JobCancelled, JobExpired, JobLost)}


class WorkerDied(JobLost):
    """Stands for the end of a run whose worker's process died in it. Raised by no handler."""


WorkerDied.__module__, WorkerDied.__qualname__ = JobLost.__module__, JobLost.__qualname__


def describe(exception: BaseException) -> JobError:
    """What is kept of an exception that a handler raised, or that stands for what became of it elsewhere."""
    if isinstance(exception, WorkerDied):
        return lost(str(exception))
    if isinstance(exception, RemoteError):
        return JobError(
            kind="raised",
            type=exception.type,
            message=exception.message or exception.type,
            traceback=exception.traceback,
        )
    message = safe_text(exception)[:MESSAGE_LIMIT]
    return JobError(
        kind="raised",
        type=name_of(type(exception)),
        message=message or name_of(type(exception)),
        traceback=_traceback(exception),
    )


def timed_out(text: str) -> JobError:
    """The end of a run that took too long."""
    return _nobody_raised("timeout", JobTimeout, text)


def cancelled(text: str) -> JobError:
    """The end of a job that somebody cancelled."""
    return _nobody_raised("cancelled", JobCancelled, text)


def expired(text: str) -> JobError:
    """The end of a job that had not started in time: a cancel by its own terms."""
    return _nobody_raised("cancelled", JobExpired, text)


def lost(text: str) -> JobError:
    """The end of a job that its process, or its pool, could not bring to an end."""
    return _nobody_raised("lost", JobLost, text)


def exception_for(error: JobError) -> Exception:
    """The exception that `event.error` is given for such an end."""
    return _CLASSES[error.type](error.message)


def _nobody_raised(kind: str, cls: type[Exception], text: str) -> JobError:
    return JobError(kind=kind, type=name_of(cls), message=text, traceback="")


def _traceback(exception: BaseException) -> str:
    try:
        inner = exception.__traceback__
        for _ in range(OUR_FRAMES):
            inner = inner and inner.tb_next
        lines = traceback.TracebackException(
            type(exception), exception, inner, limit=-FRAMES, capture_locals=False, compact=True
        ).format()
        text = "".join(lines)
    except BaseException as failure:  # noqa: BLE001 - foreign __str__, memory, recursion
        return f"(the traceback can't be shown: {type(failure).__name__})"
    return text if len(text) <= TRACEBACK_LIMIT else "…\n" + text[-TRACEBACK_LIMIT:]
