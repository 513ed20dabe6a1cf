"""`tasks`, and the pools it hands out: what a project calls."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.apps import apps

from yao_tasks import boot, loading
from yao_tasks.core.calls import Call
from yao_tasks.core.definitions import Definition
from yao_tasks.core.faults import shown
from yao_tasks.core.jobs import JobInfo
from yao_tasks.engines.base import DEFAULTS, Arguments, Options
from yao_tasks.options import checked_workers, options_from, query_from

Answer = TypeVar("Answer")


class Adder:
    """Adds jobs with options: what `pool.using(…)` returns."""

    __slots__ = ("id", "options")

    def __init__(self, task: str, options: Options) -> None:
        self.id = task
        self.options = options

    def add(self, /, *args: Any, **kwargs: Any) -> int:
        """Add a job, as `Pool.add` does, with these options."""
        return boot.engine(self.id).add(args, kwargs, self.options)

    def add_many(self, calls: Iterable[Sequence[Any]], *, partial: bool = False) -> list[int]:
        """Add many jobs, as `Pool.add_many` does, each with these options."""
        return boot.engine(self.id).add_many(_arguments(calls), self.options, partial=partial)

    def call(self, /, *args: Any, **kwargs: Any) -> Call:
        """A step of a workflow, as `Pool.call`, added with these options when its turn comes."""
        return Call(self.id, args, kwargs, self.options)

    async def aadd(self, /, *args: Any, **kwargs: Any) -> int:
        """The same as `add`, from a coroutine."""
        return await _unblocked(self.id, self.add, args, kwargs)


class Pool:
    """The jobs of one task. A handle without state: it asks its engine in each call, so it can be kept anywhere.

    Any thread may call any method. Each raises TaskNotFound or ImproperlyConfigured where the task's
    definition is missing or at fault.
    """

    __slots__ = ("id",)

    def __init__(self, task: str) -> None:
        self.id = task

    def __repr__(self) -> str:
        return f"tasks[{self.id!r}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pool) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    # Adding

    def add(self, /, *args: Any, **kwargs: Any) -> int:
        """Add a job that calls the task's handler with its id and these arguments; answers the id at once.

        Inside a transaction the job waits for the commit, and a rollback takes it back. Raises QueueFull
        (PoolSaturated, where all workers hang), DuplicateJob, PoolClosed, BadJobId, and what `event.next` raises.
        """
        return boot.engine(self.id).add(args, kwargs, DEFAULTS)

    def add_many(self, calls: Iterable[Sequence[Any]], *, partial: bool = False) -> list[int]:
        """Add a job for each element, a tuple or list of positional arguments; answers their ids in order.

        All or none: raises what `add` raises, and TypeError for an element that is no tuple or list. With
        `partial` as many as there is place for, and 0 in place of each id that was refused. As long as the
        answer is held, its jobs are found, however long ago they ended.
        """
        return boot.engine(self.id).add_many(_arguments(calls), DEFAULTS, partial=partial)

    def using(self, **options: Any) -> Adder:
        """An `add` with options.

        `run_after` (seconds, timedelta or aware datetime), `priority` (-100 to 100, higher first), `unique` (a text
        that no other live job may have), `timeout` (seconds for one run), `expires` (seconds: not started by
        then, it is cancelled), `on_commit=False` (don't wait for the commit), `database` (whose commit).
        TypeError for an unknown option or a wrong type, ValueError for a value out of range.
        """
        return Adder(self.id, options_from(options))

    def call(self, /, *args: Any, **kwargs: Any) -> Call:
        """A step of a workflow: a job with these arguments, to be added when its turn comes. Adds nothing.

        `yao_tasks.workflows` has `chain`, `group` and `Batch`, which take it; an argument may be `PREVIOUS`.
        """
        return Call(self.id, args, kwargs)

    def retry(self, job_id: int) -> None:
        """Run a failed job again, under its id, with fresh attempts. ValueError if it is no FAILURE.

        Raises JobNotFound once it is forgotten, and QueueFull, DuplicateJob, PoolClosed as `add` does.
        """
        boot.engine(self.id).retry(job_id)

    # Looking

    def get(self, job_id: int) -> JobInfo:
        """A picture of the job as it is now. JobNotFound where it isn't known (any more), BadJobId for no id."""
        return boot.engine(self.id).get(job_id)

    def wait(self, job_id: int, timeout: float | None = None) -> JobInfo:
        """Wait for the job's end in the calling thread, `timeout` seconds at most (None: without limit).

        Returns at the end, before its events have run. Raises TimeoutError, JobNotFound; RuntimeError at once
        where the job can't end while the caller waits: it is held by the caller's own transaction or
        `event.add`, or all workers of its pool would wait for jobs of their own pool.
        """
        return boot.engine(self.id).wait(job_id, timeout)

    def as_completed(self, ids: Sequence[int], timeout: float | None = None) -> Iterator[JobInfo]:
        """The jobs in the order in which they end, each once; ids that are 0 are passed over.

        Raises JobNotFound at once for an id that isn't known, TimeoutError `timeout` seconds after the first
        was asked for, if some have not ended by then.
        """
        return boot.engine(self.id).as_completed(ids, timeout)

    @property
    def jobs(self) -> Mapping[int, JobInfo]:
        """The WAITING and RUNNING jobs: id -> JobInfo, read-only; iterates a snapshot."""
        return boot.engine(self.id).jobs()

    def search(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        phase: str | None = None,
        text: str | None = None,
        order: str = "-added_at",
        since: datetime | None = None,
        until: datetime | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[JobInfo]:
        """The jobs that fit, live and remembered ones; `limit` of them from `offset` on.

        `kind` of a failure: raised, timeout, cancelled, lost. `phase` of a waiting job: ready, delayed, retrying.
        `text`: a part of id, message, error or arguments, in any case. `since`, `until`: when it was added.
        `order`: added_at, ended_at, -added_at, -ended_at. ValueError, TypeError for what is none of these.
        """
        query = query_from({name: value for name, value in locals().items() if name != "self"})
        return boot.engine(self.id).search(query)

    @property
    def config(self) -> Definition:
        """The definition as loaded: attributes, and a read-only mapping."""
        return loading.definition_of(self.id)

    def metrics(self) -> dict[str, Any]:
        """The pool in numbers: `added`, `started`, `succeeded`, `failed` (by kind), `retried`, `refused`; now:
        `waiting` (of these `delayed` not due yet), `running`, `workers`, `worker_nums`, `stuck`, `stacks` (texts),
        `paused`, `oldest_waiting` (s), `failed_events`, `slow_events` (texts); of the last hour: `wait_time` and
        `run_time` (`avg`, `p50`, `p95`, `max` in s), `minutes` (60 dicts, the oldest first)."""
        return boot.engine(self.id).metrics()

    @property
    def supports(self) -> frozenset[str]:
        """What the pool's engine can do: names of methods and options."""
        return boot.engine(self.id).supports

    # Steering

    def progress(self, job_id: int, current: float, total: float = 0, message: str = "") -> None:
        """Report how far a job is; `event.progress` runs in this thread. JobNotFound once the job has ended.

        Called by a handler for its own job it belongs to that run, and raises once the run is settled.
        """
        boot.engine(self.id).progress(job_id, current, total, message)

    def cancel(self, job_id: int) -> bool:
        """End the job at once as FAILURE, kind `cancelled`. False where nothing live was there to cancel."""
        return boot.engine(self.id).cancel(job_id)

    def pause(self) -> None:
        """Start no more jobs in this process; those that run go on, and `add` still accepts."""
        boot.engine(self.id).pause()

    def resume(self) -> None:
        """Start jobs again."""
        boot.engine(self.id).resume()

    def resize(self, worker_nums: int) -> None:
        """Have so many workers, 1 to 1,000, of coroutines 1 to 100,000.

        More at once, fewer as each surplus one ends its job.
        """
        engine = boot.engine(self.id)
        engine.resize(checked_workers(worker_nums, worker_type=engine.worker_type))

    def purge(self, *, delayed: bool = False) -> int:
        """Cancel all jobs that are ready, with `delayed` also those not due yet. Answers how many."""
        return boot.engine(self.id).purge(delayed=delayed)

    def close(self, timeout: float = 30) -> list[int]:
        """Close the pool for good: refuse new jobs, tell running ones, run what waits for `timeout` seconds.

        Answers the ids of the jobs that were left; these have ended as FAILURE, kind `lost`.
        """
        return boot.engine(self.id).close(timeout)

    # From coroutines

    async def aadd(self, /, *args: Any, **kwargs: Any) -> int:
        """The same as `add`; where that might block, for an event or a place, a thread does it."""
        return await _unblocked(self.id, self.add, args, kwargs)

    async def aget(self, job_id: int) -> JobInfo:
        """The same as `get`."""
        return await self._off_the_loop(self.get, job_id)

    async def await_end(self, job_id: int, timeout: float | None = None) -> JobInfo:
        """The same as `wait`; no thread waits."""
        return await boot.engine(self.id).await_end(job_id, timeout)

    async def acancel(self, job_id: int) -> bool:
        """The same as `cancel`."""
        return await self._off_the_loop(self.cancel, job_id)

    async def aretry(self, job_id: int) -> None:
        """The same as `retry`."""
        await self._off_the_loop(self.retry, job_id)

    async def _off_the_loop(self, call: Callable[[int], Answer], job_id: int) -> Answer:
        if not boot.engine(self.id).asks_database:
            return call(job_id)
        from asgiref.sync import sync_to_async

        return await sync_to_async(call)(job_id)


class Tasks(Mapping[str, Pool]):
    """The pools of all tasks, by id."""

    def __getitem__(self, task: str) -> Pool:
        # While Django starts, files can't be found yet: the handle says later what is wrong.
        if apps.ready and task not in self:
            loading.definition_of(task)
        return Pool(task)

    def __contains__(self, task: object) -> bool:
        return task in loading.loaded().task_ids

    def __iter__(self) -> Iterator[str]:
        return iter(loading.loaded().task_ids)

    def __len__(self) -> int:
        return len(loading.loaded().task_ids)


async def _unblocked(
    task: str, add: Callable[..., int], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> int:
    engine = boot.engine(task)
    if not engine.may_block:
        return add(*args, **kwargs)
    from asgiref.sync import sync_to_async

    # Not one thread for all: one that waits must not hold up the others. But inline the caller's connections count.
    return await sync_to_async(add, thread_sensitive=engine.is_inline)(*args, **kwargs)


def _arguments(calls: Iterable[Sequence[Any]]) -> list[Arguments]:
    """The elements of `add_many` as arguments. TypeError for one that is no tuple or list."""
    checked: list[Arguments] = []
    for place, call in enumerate(calls):
        if not isinstance(call, tuple | list):
            raise TypeError(
                f"add_many: element {place} is {shown(call)}. Give a tuple of arguments, such as ({shown(call)},)."
            )
        checked.append((tuple(call), {}))
    return checked


tasks = Tasks()
