"""A job as it lives in memory (`Job`), and the picture of it that callers get (`JobInfo`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from threading import RLock
from typing import Any, Protocol

# The moments of a job's life, in order. Those who ask are told one of four names (PUBLIC):
# everything before RUNNING is WAITING.
HELD = 0  # added in a transaction that hasn't been committed
ADDING = 1  # `event.add` is under way
DELAYED = 2  # not due yet
RETRYING = 3  # between two runs
READY = 4  # a worker may take it
RUNNING = 5
ENDING = 6  # the run of a durable job is over, and its end is being written
SUCCEEDED = 7
FAILED = 8
DROPPED = 9  # its transaction was rolled back: it never was; or this process has let go of a durable one

WAITING_NAME, RUNNING_NAME, SUCCESS_NAME, FAILURE_NAME = "WAITING", "RUNNING", "SUCCESS", "FAILURE"
PUBLIC = (
    *(WAITING_NAME,) * 5,
    *(RUNNING_NAME,) * 2,
    SUCCESS_NAME,
    FAILURE_NAME,
    WAITING_NAME,
)
CODES = {WAITING_NAME: 1, RUNNING_NAME: 2, SUCCESS_NAME: 3, FAILURE_NAME: 4}

# What a picture tells beside its fields.
NUMBERS = ("percent", "status_code", "elapsed", "eta")
# A year: whoever is told of more has been told nothing (s).
LONGEST_ETA = 366 * 86_400
# In its first seconds (s) a run that has done less than this (percent) tells nothing: the first of thousands of rows
# would promise an hour.
EARLY, LITTLE = 10.0, 1.0

Progress = tuple[float, float, str]
NO_PROGRESS: Progress = (0, 0, "")


class Waiter(Protocol):
    """One who waits for a job's end."""

    def set(self) -> None:
        """The job has ended. Called once, by the thread that ended it, under no lock."""


Waiters = dict[int, Waiter]


class Row(Protocol):
    """What a journal keeps of a job that is recorded."""

    def touch(self, job: "Job") -> None:
        """The job has changed: have it written. Any thread; quick, and under no lock of the pool."""

    def ran(self, job: "Job", attempt: int, ended: float, error: "JobError") -> None:
        """A run is over (`ended`: monotonic seconds), and it was not the job's last."""

    def next_life(self, job: "Job") -> "Row":
        """What is kept of the job in which this one, a failure, is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job failed, as text: exception objects would keep whole call stacks alive."""

    kind: str
    """`raised`, `timeout`, `cancelled` or `lost`."""
    type: str
    """The exception's name, with its module unless it is a built-in one."""
    message: str
    traceback: str
    """Empty where nothing was raised in a handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a caller asked for one job beside its arguments. Most jobs have none."""

    priority: int = 0
    """Higher first."""
    timeout: float | None = None
    """Seconds for one run, in place of the definition's."""
    key: str | None = None
    """No other live job of the pool may have it."""
    carried: tuple[Callable[[], object], ...] = ()
    """Called in each fresh context of the job: they set there what was carried over from the caller."""


class Job:
    """One call. Written by `lifecycle.py` alone, under its pool's lock; mutable, because it is on the hot path.

    Moments are seconds of the monotonic clock; `added_at` (seconds since 1970) says when the first of them was.
    """

    __slots__ = (
        "added",
        "added_at",
        "args",
        "attempt",
        "base",
        "due",
        "ended",
        "error",
        "heir",
        "holder",
        "id",
        "kwargs",
        "progress",
        "ready",
        "result",
        "row",
        "started",
        "status",
        "terms",
        "waiters",
        "worker",
    )

    def __init__(
        self,
        job_id: int,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        added: float,
        added_at: float,
    ) -> None:
        self.id = job_id
        self.args = args
        self.kwargs = kwargs
        self.status: int  # set by `Lifecycle.admit`
        self.added = added
        self.added_at = added_at
        self.attempt = 0
        # The runs of an earlier life: a person had it tried again after these.
        self.base = 0
        # Since when it waits for a worker.
        self.ready = added
        self.terms: Terms | None = None
        # Of a failure: True once its end has been told, until then the job in which it is tried again.
        self.heir: Job | bool | None = None
        self.progress = NO_PROGRESS
        self.result: Any = None
        self.error: JobError | None = None
        self.started: float | None = None
        self.ended: float | None = None
        self.due: float | None = None
        self.worker: str | None = None
        self.waiters: Waiters | None = None
        # None where nobody records it.
        self.row: Row | None = None
        # The thread whose open transaction, or whose `event.add`, holds the job back.
        self.holder: int | None = None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInfo:
    """A frozen picture of a job at one moment."""

    id: int
    task: str
    """The task's id."""
    status: str
    """`"WAITING"`, `"RUNNING"`, `"SUCCESS"` or `"FAILURE"`."""
    current: float
    total: float
    message: str
    response: Any
    """The result; for a failure the error's text; None before the end."""
    error: JobError | None
    """Only for a FAILURE."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    attempt: int
    """The current or last run, counted from 1; 0 before the first."""
    added_at: datetime
    started_at: datetime | None
    """The start of the current or last run. All moments are aware, in UTC."""
    ended_at: datetime | None
    due_at: datetime | None
    """When the next run may start, for a job that is delayed or between two runs."""
    worker: str | None
    """The name of the worker that runs it, or ran it last."""
    _drawn_at: datetime = field(default_factory=_now, compare=False, repr=False)

    @property
    def elapsed(self) -> float | None:
        """Seconds that the run has taken, or the last one took; None before the first, and between two."""
        if self.started_at is None or self.status == WAITING_NAME:
            return None
        return max(0.0, ((self.ended_at or self._drawn_at) - self.started_at).total_seconds())

    @property
    def eta(self) -> float | None:
        """Seconds until the run ends, if it goes on as it did; None where nothing tells: no total, hardly a start."""
        if self.status != RUNNING_NAME or self.elapsed is None or not 0 < self.current <= self.total:
            return None
        if self.elapsed < EARLY and 100.0 * self.current / self.total < LITTLE:
            return None
        # In floats, which overflow into infinity: that is no moment.
        seconds = self.elapsed * (1.0 * self.total / self.current - 1)
        return seconds if seconds < LONGEST_ETA else None

    @property
    def status_code(self) -> int:
        """1 WAITING, 2 RUNNING, 3 SUCCESS, 4 FAILURE."""
        return CODES[self.status]

    @property
    def percent(self) -> int:
        """0 to 100, rounded down; 0 without a total, 100 at SUCCESS."""
        if self.status == SUCCESS_NAME:
            return 100
        if not self.total > 0:
            return 0
        # In floats, which overflow into infinity: the quotient of two large integers would raise.
        return int(max(0, min(100, 100.0 * self.current / self.total)))

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.status in (SUCCESS_NAME, FAILURE_NAME)

    def as_dict(self) -> dict[str, Any]:
        """All of it, with the properties that are numbers; moments stay datetimes, the error is a dict or None."""
        picture = {one.name: getattr(self, one.name) for one in fields(self) if one.name[0] != "_"}
        error = self.error
        picture["error"] = error and {one.name: getattr(error, one.name) for one in fields(error)}
        return {**picture, **{name: getattr(self, name) for name in NUMBERS}}


def draw(job: Job, task: str, lock: RLock) -> JobInfo:
    """Draw a picture of the job, whose task's id and pool's lock are given. Any thread may ask."""
    # One section for all that changes: nobody sees a status with the fields of another moment.
    with lock:
        status = job.status
        attempt = job.attempt
        progress = job.progress
        result = job.result
        error = job.error
        started = job.started
        ended = job.ended
        due = job.due
        worker = job.worker
    return JobInfo(
        id=job.id,
        task=task,
        status=PUBLIC[status],
        current=progress[0],
        total=progress[1],
        message=progress[2],
        response=error.message if error else result,
        error=error,
        args=job.args,
        kwargs=dict(job.kwargs),
        attempt=attempt,
        added_at=datetime.fromtimestamp(job.added_at, UTC),
        started_at=_moment(job, started),
        ended_at=_moment(job, ended),
        due_at=_moment(job, due),
        worker=worker,
    )


def _moment(job: Job, at: float | None) -> datetime | None:
    if at is None:
        return None
    # Measured from the job's own first moment: a wall clock that jumps later changes no duration.
    return datetime.fromtimestamp(job.added_at + (at - job.added), UTC)
