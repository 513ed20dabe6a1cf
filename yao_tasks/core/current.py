"""`current_job()`: what a handler or an event knows of the job that it works for."""

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager
from contextvars import Context, ContextVar
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol, TypeVar

from yao_tasks.core.jobs import DROPPED, ENDING, FAILED, READY, RETRYING, Job

Row = TypeVar("Row")

# A bar that moves ten times a second looks smooth; each report may call an event.
TRACK_SECONDS = 0.1
# Of a job one of whose runs has begun: that run is over.
_OVER = (RETRYING, ENDING, DROPPED)


class LifeSigns(Protocol):
    """What a run sees of its pool."""

    @property
    def task(self) -> str:
        """The task's id."""

    @property
    def closing(self) -> bool:
        """Whether the pool is being closed."""


class Reporter(Protocol):
    """Where a run's reports go: its pool's announcer, or in a process of a worker's own the way to it."""

    @property
    def life(self) -> LifeSigns:
        """The pool."""

    @property
    def timeout(self) -> float:
        """Seconds that a run may take, if its job doesn't say otherwise."""

    @property
    def tidy(self) -> Callable[[str], None]:
        """Called with the task's id in a thread of ours after it ran something foreign."""

    def report(self, job: Job, attempt: int | None, current: float, total: float, message: str) -> None:
        """Store and tell a job's progress."""

    def finishing(self, job: Job, attempt: int, result: object) -> AbstractContextManager[None]:
        """Let a run write its job's end itself."""


class CurrentJob:
    """One run of a job, seen from inside. For the thread that runs it, and those it passes it on to."""

    __slots__ = ("_job", "_reporter", "attempt")

    def __init__(self, job: Job, attempt: int, reporter: Reporter) -> None:
        self._job = job
        self._reporter = reporter
        self.attempt = attempt
        """Which run this is, from 1; in `event.add` 0."""

    @property
    def id(self) -> int:
        """The job's id."""
        return self._job.id

    @property
    def task(self) -> str:
        """The task's id."""
        return self._reporter.life.task

    @property
    def deadline(self) -> datetime | None:
        """When this run times out: aware, in UTC. None outside a run (in `event.add`)."""
        job, started = self._job, self._job.started
        if started is None:
            return None
        terms = job.terms
        timeout = self._reporter.timeout if terms is None or terms.timeout is None else terms.timeout
        at = job.added_at + (started - job.added) + timeout
        return datetime.fromtimestamp(at, UTC)

    @property
    def cancelled(self) -> bool:
        """Whether this run was settled from outside (deadline, cancel): nobody will look at its result."""
        job, error = self._job, self._job.error
        if job.status == FAILED and error is not None:
            return error.kind != "raised"
        # Between two runs this one is over, as it is where its end is being written; in event.add there is none yet.
        over = job.status in _OVER or (job.status == READY and self.attempt > 0)
        return over or job.attempt != self.attempt

    @property
    def stopping(self) -> bool:
        """Whether the pool is being closed: a long handler should come to an end."""
        return self._reporter.life.closing

    def track(self, rows: Iterable[Row], *, total: int | None = None, message: str = "") -> Iterator[Row]:
        """The rows, one by one, with progress reported on the way: at the first and the last, and ten times a second.

        `total`: how many there are; None: `len(rows)`, if it has one, but never of a QuerySet, whose `len` fetches
        all of them. Raises JobNotFound once the run is settled.
        """
        if total is None and isinstance(rows, Sized) and not hasattr(rows, "query"):
            total = len(rows)
        count, told_at = 0, float("-inf")
        self.progress(0, total or 0, message)
        for count, row in enumerate(rows, 1):
            yield row
            if (now := monotonic()) - told_at >= TRACK_SECONDS:
                told_at = now
                self.progress(count, total or 0, message)
        self.progress(count, total or count, message)

    def finishing(self, result: object = None) -> AbstractContextManager[None]:
        """`with job.finishing(result):` the rows written inside and the job's end, SUCCESS, are one transaction.

        It is one of `YAO_TASKS["DATABASE"]`, committed at the end of the block, for handlers of durable tasks in
        threads. Raises JobNotFound at that end where the run was settled meanwhile, and nothing is written then;
        RuntimeError where the task is not durable; TypeError, ValueError for a result that can't be kept.
        """
        return self._reporter.finishing(self._job, self.attempt, result)

    def progress(self, current: float, total: float = 0, message: str = "") -> None:
        """Report how far this run is. JobNotFound once it is settled; ValueError, TypeError for what is no number."""
        self._reporter.report(self._job, self.attempt, current, total, message)


Marker = tuple[Job, int, Reporter]
"""What a context keeps of its run: made for each job, where a `CurrentJob` is made only for who asks."""

_current: ContextVar[Marker | None] = ContextVar("yao_tasks_current_job", default=None)


def marker() -> Marker | None:
    """What the context keeps of the run, or event, that this code works for; None outside of both."""
    return _current.get()


def current_job() -> CurrentJob | None:
    """The job that this code works for; None outside handlers and events."""
    marker = _current.get()
    return None if marker is None else CurrentJob(*marker)


def running_job() -> tuple[str, int] | None:
    """The task and the id of the job that this code works for; None outside handlers and events."""
    marker = _current.get()
    return None if marker is None else (marker[2].life.task, marker[0].id)


_EMPTY = Context()


def fresh(marker: Marker, base: Context = _EMPTY) -> Context:
    """A context of its own for one run, or one event: its job, and what that carries along, beside what `base` has."""
    context = base.copy()
    context.run(_current.set, marker)
    terms = marker[0].terms
    if terms is not None:
        for restore in terms.carried:
            context.run(restore)
    return context


def leave() -> None:
    """Work for no job from here on: in a child that was forked inside a handler."""
    _current.set(None)
