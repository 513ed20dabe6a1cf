"""The log `yao_tasks`: a line for each thing that a person may want to know of a job. Arguments never."""

import logging
import threading
import time
from collections.abc import Callable

from yao_tasks.core.diary import LINE_LENGTH, Attempt, Line, diary
from yao_tasks.core.faults import printable
from yao_tasks.core.jobs import Job, JobError

logger = logging.getLogger("yao_tasks")

# A line names so many jobs.
SHOWN = 20


def ended(task: str, job: Job, exception: BaseException) -> None:
    """A job's final failure: one ERROR with `exc_info`, so that mail_admins and error trackers see it.

    A cancel is somebody's wish, no fault: INFO. What a closed pool lost is one line (`lost`), not one a job; what
    was lost with a worker's process was raised, and has a line.
    """
    error = job.error
    assert error is not None
    if error.kind == "cancelled":
        _write(logging.INFO, task, job, "job %s was cancelled.", job.id)
    elif error.kind != "lost" or exception.__traceback__ is not None:
        _note(task, job, job.attempt, error, job.ended)
        text = "job %s failed in run %s (%s): %s"
        values = (job.id, job.attempt, error.kind, printable(error.message))
        _write(logging.ERROR, task, job, text, *values, exception=exception)


def lost(task: str, ids: list[int]) -> None:
    """What was left when a pool was closed, by id."""
    text = "%s: the pool was closed before %s of its jobs could end; they are lost: %s"
    logger.error(
        text, task, len(ids), ", ".join(map(str, ids)), extra={"task": task, "job": None, "attempt": None}
    )


def retrying(task: str, job: Job, attempt: int, error: JobError, seconds: float) -> None:
    """A run failed, and another will follow."""
    _note(task, job, attempt, error, None)
    text = "run %s of job %s failed and is tried again in %g s: %s"
    _write(logging.WARNING, task, job, text, attempt, job.id, seconds, printable(error.message))


def late(task: str, job: Job, attempt: int) -> None:
    """A run came back after somebody else had settled it."""
    text = "run %s of job %s came back after it had ended; what it brought is dropped."
    _write(logging.INFO, task, job, text, attempt, job.id)


def fenced(task: str, job: Job) -> None:
    """A process worked on a job that had been taken from it."""
    text = "run %s of job %s has ended here, and is refused: the job was cancelled, or is another process's by now."
    _write(logging.WARNING, task, job, text, job.attempt, job.id)


def taken_away(task: str, job: Job) -> None:
    """A job that a process runs belongs to it no longer."""
    text = "run %s of job %s is stopped, and its end is refused: the job was cancelled, or is another process's by now."
    _write(logging.WARNING, task, job, text, job.attempt, job.id)


def raised_after_end(task: str, job: Job, exception: BaseException) -> None:
    """A handler raised after it had written its job's end itself."""
    told = printable(f"{type(exception).__name__}: {safe_text(exception)}")
    text = "job %s had ended by finishing(), and its handler raised after that: %s"
    _write(logging.ERROR, task, job, text, job.id, told, exception=exception)


def lost_one(task: str, job: Job) -> None:
    """A durable job ended with nobody left to run it."""
    assert job.error is not None
    _write(logging.ERROR, task, job, "job %s is lost: %s", job.id, printable(job.error.message))


def given_back(task: str, ids: list[int]) -> None:
    """What ran when a pool of durable jobs was closed, by id."""
    text = "%s: the pool was closed while %s of its jobs ran; they wait to be run again: %s"
    logger.warning(
        text, task, len(ids), ", ".join(map(str, ids)), extra={"task": task, "job": None, "attempt": None}
    )


def event_failed(task: str, job: Job, event: str, exception: BaseException) -> None:
    """An event raised: that changes nothing for its job."""
    told = printable(f"{type(exception).__name__}: {safe_text(exception)}")
    _write(logging.ERROR, task, job, "event.%s of job %s raised %s", event, job.id, told, exception=exception)


def event_slow(task: str, job: Job, event: str, seconds: float) -> None:
    """An event keeps its thread from work."""
    text = "event.%s of job %s has been running for %.0f s; until it returns, its thread does nothing else."
    _write(logging.WARNING, task, job, text, event, job.id, seconds)


def elsewhere(task: str, job_id: int, text: str) -> None:
    """A job of another process was asked for."""
    logger.warning(text, extra={"task": task, "job": job_id, "attempt": None})


def aside(write: Callable[..., None], *args: object) -> None:
    """Write a rare line in a thread of its own: log handlers are foreign code, and may hang the one who calls."""
    thread = threading.Thread(target=write, args=args, name="yao_tasks-log", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the process is about to end
        pass


def saturated(task: str, stacks: list[str]) -> None:
    """Every worker hangs, and no more of them are replaced."""
    text = "%s: all %s workers are stuck, and no more are replaced. What waits runs when one comes back. Stacks:\n%s"
    extra = {"task": task, "job": None, "attempt": None}
    logger.error(text, task, len(stacks), "\n".join(stacks), extra=extra)


def loop_blocked(runs: list[tuple[str, int, int]], seconds: float, stack: str) -> None:
    """A handler keeps the event loop from all other coroutines. `runs`: task, job and attempt of the one, or of all."""
    task, job, attempt = runs[0] if len(runs) == 1 else (None, None, None)
    names = ", ".join(f"run {run} of job {job_id} of {name}" for name, job_id, run in runs[:SHOWN])
    more = f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
    text = (
        "The event loop has been blocked for %.1f s, so that no coroutine goes on, by %s%s. A handler awaits what "
        "waits, and leaves what computes or blocks to a thread (asyncio.to_thread, sync_to_async). There it is:\n%s"
    )
    extra = {"task": task, "job": job, "attempt": attempt}
    logger.warning(text, seconds, names or "an event", more, stack, extra=extra)


def callback_lost(task: str, job: Job) -> None:
    """A transaction was committed, but the callback that should have started the job was thrown away."""
    text = (
        "job %s never was: its transaction was committed, but an earlier on_commit callback raised, and Django "
        "threw away those after it. Register that callback with robust=True."
    )
    _write(logging.ERROR, task, job, text, job.id)


def _write(
    level: int, task: str, job: Job, text: str, *values: object, exception: BaseException | None = None
) -> None:
    if not logger.isEnabledFor(level):
        return
    extra = {"task": task, "job": job.id, "attempt": job.attempt}
    line = Line(
        at=time.time(),
        level=logging.getLevelName(level),
        logger=logger.name,
        text=(text % values)[:LINE_LENGTH],
    )
    diary.write(task, job.id, line)
    try:
        logger.log(level, f"%s: {text}", task, *values, exc_info=exception, extra=extra)  # noqa: G004
    except BaseException:  # noqa: BLE001, S110 - a log handler is foreign code: it must cost no job and no worker
        pass


def _note(task: str, job: Job, number: int, error: JobError, ended: float | None) -> None:
    """Have the diary remember a run that failed; its end is now, where `ended` (monotonic) is None."""
    if job.started is None or not number:
        return
    attempt = Attempt(
        number=number,
        started=job.started - job.added,
        ended=(time.monotonic() if ended is None else ended) - job.added,
        worker=job.worker or "",
        error=error,
    )
    diary.note(task, job.id, attempt)


def safe_text(exception: BaseException) -> str:
    """What an exception says of itself, whatever its `__str__` does."""
    try:
        return str(exception)
    except BaseException:  # noqa: BLE001 - foreign code
        return "(no text: its __str__ raised)"
