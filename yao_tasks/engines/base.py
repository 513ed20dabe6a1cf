"""What every engine can be asked for. A `Pool` forwards to one; who calls can't tell which."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol

from yao_tasks.core.announcer import Events
from yao_tasks.core.clock import Clock
from yao_tasks.core.definitions import Definition
from yao_tasks.core.ids import Ids
from yao_tasks.core.jobs import Job, JobInfo, Waiter
from yao_tasks.core.queries import Query
from yao_tasks.core.retries import Exceptions, RetryPolicy
from yao_tasks.core.workers.process import Children

# What a process that is asked to end is given before it is killed, after its pool's own time is over (s).
LAST_SECONDS = 0.5

if TYPE_CHECKING:
    from yao_tasks.core.workers.lag import Running
    from yao_tasks.core.workers.loop import Loop

    # It has models, and whoever uses a task in his own module of models imports this before apps are loaded.
    from yao_tasks.journal.journal import Journal

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and named arguments of one job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `pool.using(…)` says of an add."""

    on_commit: bool = True
    """Inside a transaction: wait for its commit."""
    database: str | None = None
    """The alias of the database whose transaction is meant; None: the default one."""
    run_after: float | datetime | None = None
    """Seconds from the add, or a moment, before which the job doesn't start."""
    priority: int = 0
    unique: str | None = None
    """A key that no other live job of the pool may have, in place of its arguments."""
    timeout: float | None = None
    """Seconds for one run, in place of the definition's."""
    expires: float | None = None
    """Seconds from the add: not started by then, it is cancelled."""
    follow: Callable[[Job], Waiter] | None = None
    """Called before the job is admitted: who waits for its end from its first moment on. For workflows."""
    members: Iterator[tuple[int, int]] | None = None
    """What the jobs are in a workflow of durable ones: that, and which of its members. For workflows."""


DEFAULTS = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callables:
    """What a definition names, imported."""

    handler: Callable[..., Any]
    worker_type: str
    """`"thread"`, `"async"` or `"process"`: `"auto"` has been resolved."""
    next_id: Callable[[], Any] | None
    events: Events
    retry_on: Exceptions = ()
    give_up_on: Exceptions = ()

    def policy(self, definition: Definition) -> RetryPolicy:
        """What the definition says of retries."""
        return RetryPolicy(
            attempts=definition.attempts,
            after=definition.attempt_after,
            exponential=definition.backoff == "exponential",
            most_after=definition.attempt_max_after,
            retry_on=self.retry_on or None,
            give_up_on=self.give_up_on,
        )


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
    journal: "Journal"
    """Where recorded jobs are written. It starts with the first of them."""
    carriers: tuple[Callable[[], Callable[[], object] | None], ...]
    """Called at each add, in the caller's thread: what to call in the job's contexts; None: nothing."""
    restore: Callable[[Mapping[str, Any]], object]
    """Sets in the calling context what was carried over through a database."""
    loop: Callable[[], "Loop"]
    """The event loop of the process, made when it is first asked for."""
    children: Children | None = None
    """What process workers need; None where there are none."""

    def stop_children(self) -> None:
        """Have the processes of process workers end, soon: their pools have been closed."""
        if self.children is not None:
            self.children.spawner.stop(LAST_SECONDS)


class Block(Protocol):
    """An open transaction, here or elsewhere."""

    autocommit: bool
    """Whether it has been committed, when a callback was dropped."""

    def on_commit(self, callback: Callable[[], None], /, robust: bool) -> None:
        """Have it called after the commit, or else dropped."""


class Engine(Protocol):
    """Where the jobs of one task live. Any thread may call any method."""

    definition: Definition
    supports: frozenset[str]
    worker_type: str
    """What runs its handler: `"thread"`, `"async"` or `"process"`."""

    asks_database: bool
    """Whether looking for a job may ask the database, which a coroutine mustn't do itself."""
    may_block: bool
    """Whether `add` may keep its caller waiting: for a place, or for an event."""
    is_inline: bool
    """Whether jobs run in the caller's thread and transaction."""
    sends_arguments: bool
    """Whether they leave this process, and so must be strict JSON."""

    def next_id(self) -> int:
        """A new id: `event.next`'s, or the next of this process. What `event.next` raises comes out; BadJobId."""

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """Add a job and answer its id. Raises QueueFull, DuplicateJob, BadJobId, PoolClosed."""

    def add_many(self, calls: Sequence[Arguments], options: Options, *, partial: bool) -> list[int]:
        """Add all or none; with `partial` as many as there is place for, 0 for each of the others."""

    def hold(
        self,
        calls: Sequence[Arguments],
        options: Options,
        block: Block,
        *,
        partial: bool = False,
        ids: Iterable[int] = repeat(0),
    ) -> list[int]:
        """As `add_many`, for the commit of a transaction that isn't the calling thread's, but `block`'s.

        `ids`: one for each call, 0 for a new one.
        """

    def check_room(self, count: int) -> None:
        """Whether so many could be added just now: raises QueueFull, PoolClosed where they could not."""

    def retry(self, job_id: int) -> None:
        """Have a failed job run again under its id. Raises as `add`, and ValueError, JobNotFound."""

    def get(self, job_id: int) -> JobInfo:
        """The job as it is now. Raises JobNotFound, BadJobId."""

    def wait(self, job_id: int, timeout: float | None) -> JobInfo:
        """Wait in the calling thread for the job's end. Raises JobNotFound, TimeoutError, RuntimeError."""

    async def await_end(self, job_id: int, timeout: float | None) -> JobInfo:
        """The same in a coroutine; no thread waits."""

    def as_completed(self, ids: Sequence[int], timeout: float | None) -> Iterator[JobInfo]:
        """The jobs as they end. Raises JobNotFound, TimeoutError."""

    def search(self, query: Query) -> list[JobInfo]:
        """The jobs, live and remembered, that fit."""

    def record(self, job: Job) -> None:
        """Have a job written to the history, though its definition doesn't say so. TypeError, ValueError."""

    def progress(self, job_id: int, current: float, total: float, message: str) -> None:
        """Report progress for a job. Raises JobNotFound once it has ended."""

    def cancel(self, job_id: int) -> bool:
        """End the job. False where nothing live was there."""

    def jobs(self) -> Mapping[int, JobInfo]:
        """The live jobs."""

    def metrics(self) -> dict[str, Any]:
        """The pool in numbers."""

    def pause(self) -> None:
        """Start no more jobs; those that run go on."""

    def resume(self) -> None:
        """Start jobs again."""

    def resize(self, worker_nums: int) -> None:
        """Have so many workers from now on."""

    def purge(self, *, delayed: bool) -> int:
        """Cancel what is ready, with `delayed` also what is not due yet. Answers how many."""

    def live(self) -> int:
        """How many jobs wait or run."""

    def running(self) -> int:
        """How many jobs run."""

    def running_here(self, most: int) -> list[JobInfo]:
        """Pictures of the jobs that run in this process, the oldest runs first, so many at most."""

    def coroutines(self) -> "list[Running]":
        """The runs that are coroutines of this process's event loop."""

    def can_work(self) -> bool:
        """Whether anybody is left to run them."""

    def refuse(self) -> None:
        """Take no more jobs, and let the running ones know."""

    def settle_down(self, deadline: float) -> None:
        """Wait until no job lives, nobody is left to run one, or the deadline (monotonic seconds) has passed."""

    def close(self, timeout: float) -> list[int]:
        """Refuse new jobs, run what waits for `timeout` seconds, answer the ids of those that were lost."""
