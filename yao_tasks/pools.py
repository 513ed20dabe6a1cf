"""`tasks`, and the pools it hands out: what a project calls."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps

from yao_tasks import boot
from yao_tasks.core.definitions import Definition
from yao_tasks.core.jobs import JobInfo
from yao_tasks.engines.base import DEFAULTS, Options
from yao_tasks.options import options_from


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

    def add(self, /, *args: Any, **kwargs: Any) -> int:
        """Add a job that calls the task's handler with its id and these arguments; answers the id at once.

        Inside a transaction the job waits for the commit, and a rollback takes it back. Raises QueueFull,
        PoolClosed, BadJobId, and what `event.next` raises.
        """
        return boot.engine(self.id).add(args, kwargs, DEFAULTS)

    def using(self, **options: Any) -> "Adder":
        """An `add` with options: `on_commit=False` (don't wait for the commit), `database="other"` (whose commit).

        TypeError for an unknown option or a value of the wrong type.
        """
        return Adder(self, options_from(options))

    def get(self, job_id: int) -> JobInfo:
        """A picture of the job as it is now. JobNotFound where it isn't known (any more), BadJobId for no id."""
        return boot.engine(self.id).get(job_id)

    def wait(self, job_id: int, timeout: float | None = None) -> JobInfo:
        """Wait for the job's end in the calling thread, `timeout` seconds at most (None: without limit).

        Returns at the end, before its events have run. Raises TimeoutError, JobNotFound; RuntimeError at once
        where the job waits for the commit of the caller's own transaction.
        """
        return boot.engine(self.id).wait(job_id, timeout)

    def progress(self, job_id: int, current: float, total: float = 0, message: str = "") -> None:
        """Report how far a job is; `event.progress` runs in this thread. JobNotFound once the job has ended.

        Called by a handler for its own job it belongs to that run, and raises once the run is settled.
        """
        boot.engine(self.id).progress(job_id, current, total, message)

    def cancel(self, job_id: int) -> bool:
        """End the job at once as FAILURE, kind `cancelled`. False where nothing live was there to cancel."""
        return boot.engine(self.id).cancel(job_id)

    @property
    def jobs(self) -> Mapping[int, JobInfo]:
        """The WAITING and RUNNING jobs: id -> JobInfo, read-only; iterates a snapshot."""
        return boot.engine(self.id).jobs()

    @property
    def config(self) -> Definition:
        """The definition as loaded: attributes, and a read-only mapping."""
        return boot.definition_of(self.id)

    def metrics(self) -> dict[str, Any]:
        """The pool in numbers: `added`, `started`, `succeeded`, `failed` (by kind), `retried`, `refused`; and now:
        `waiting` (of these `delayed` not due yet), `running`, `workers`, `stuck`, `paused`, `oldest_waiting` (s)."""
        return boot.engine(self.id).metrics()

    @property
    def supports(self) -> frozenset[str]:
        """What the pool's engine can do: names of methods."""
        return boot.engine(self.id).supports

    def close(self, timeout: float = 30) -> list[int]:
        """Close the pool for good: refuse new jobs, tell running ones, run what waits for `timeout` seconds.

        Answers the ids of the jobs that were left; these have ended as FAILURE, kind `lost`.
        """
        return boot.engine(self.id).close(timeout)


class Adder:
    """What `pool.using(…)` returns."""

    __slots__ = ("options", "pool")

    def __init__(self, pool: Pool, options: Options) -> None:
        self.pool = pool
        self.options = options

    def add(self, /, *args: Any, **kwargs: Any) -> int:
        """As `Pool.add`, with these options."""
        return boot.engine(self.pool.id).add(args, kwargs, self.options)


class Tasks(Mapping[str, Pool]):
    """The pools of all tasks, by id."""

    def __getitem__(self, task: str) -> Pool:
        # While Django starts, files can't be found yet: the handle says later what is wrong.
        if apps.ready and task not in self:
            boot.definition_of(task)
        return Pool(task)

    def __contains__(self, task: object) -> bool:
        return task in boot.loaded().task_ids

    def __iter__(self) -> Iterator[str]:
        return iter(boot.loaded().task_ids)

    def __len__(self) -> int:
        return len(boot.loaded().task_ids)


tasks = Tasks()
