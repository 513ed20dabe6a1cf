"""What every engine can be asked for. A `Pool` forwards to one; who calls can't tell which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from yao_tasks.core.announcer import Events
from yao_tasks.core.clock import Clock
from yao_tasks.core.definitions import Definition
from yao_tasks.core.ids import Ids
from yao_tasks.core.jobs import JobInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `pool.using(…)` says of an add."""

    on_commit: bool = True
    """Inside a transaction: wait for its commit."""
    database: str | None = None
    """The alias of the database whose transaction is meant; None: the default one."""


DEFAULTS = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callables:
    """What a definition names, imported."""

    handler: Callable[..., Any]
    next_id: Callable[[], Any] | None
    events: Events


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What a process has once for all its engines."""

    clock: Clock
    ids: Ids
    retention: float
    """Seconds for definitions that don't say."""
    retention_max: int
    """Most ended jobs that a pool remembers: so many successes, and so many failures."""
    tidy: Callable[[str], None]
    """Called with the task's id in a thread of ours after it ran a handler or an event."""
    opening: Callable[[], None]
    """Called before an engine takes its first job. RuntimeError where the process starts no more threads."""


class Engine(Protocol):
    """Where the jobs of one task live. Any thread may call any method."""

    definition: Definition
    supports: frozenset[str]

    def next_id(self) -> int:
        """A new id: `event.next`'s, or the next of this process. What `event.next` raises comes out; BadJobId."""

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """Add a job and answer its id. Raises QueueFull, BadJobId, PoolClosed."""

    def get(self, job_id: int) -> JobInfo:
        """The job as it is now. Raises JobNotFound, BadJobId."""

    def wait(self, job_id: int, timeout: float | None) -> JobInfo:
        """Wait in the calling thread for the job's end. Raises JobNotFound, TimeoutError, RuntimeError."""

    def progress(self, job_id: int, current: float, total: float, message: str) -> None:
        """Report progress for a job. Raises JobNotFound once it has ended."""

    def cancel(self, job_id: int) -> bool:
        """End the job. False where nothing live was there."""

    def jobs(self) -> Mapping[int, JobInfo]:
        """The live jobs."""

    def metrics(self) -> dict[str, Any]:
        """The pool in numbers."""

    def live(self) -> int:
        """How many jobs wait or run."""

    def can_work(self) -> bool:
        """Whether anybody is left to run them."""

    def refuse(self) -> None:
        """Take no more jobs, and let the running ones know."""

    def settle_down(self, deadline: float) -> None:
        """Wait until no job lives, nobody is left to run one, or the deadline (monotonic seconds) has passed."""

    def close(self, timeout: float) -> list[int]:
        """Refuse new jobs, run what waits for `timeout` seconds, answer the ids of those that were lost."""
