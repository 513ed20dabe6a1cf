"""What an embedded pool is made of, put together; and how it finds a job."""

import threading
from collections.abc import Callable
from queue import Empty
from typing import TYPE_CHECKING

from yao_tasks.core import log
from yao_tasks.core.announcer import Announcer, Events
from yao_tasks.core.current import CurrentJob, marker
from yao_tasks.core.definitions import Definition
from yao_tasks.core.ends import Ends
from yao_tasks.core.errors import BadJobId, JobElsewhere, JobNotFound
from yao_tasks.core.growth import Growth
from yao_tasks.core.ids import LIMIT, Owner
from yao_tasks.core.jobs import Job
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.metrics import Times
from yao_tasks.core.places import Places
from yao_tasks.core.retention import Retention
from yao_tasks.core.runs import Runner
from yao_tasks.core.watch import Call, Watch
from yao_tasks.core.workers.base import Workers
from yao_tasks.core.workers.process import ProcessWorkers
from yao_tasks.core.workers.thread import ThreadWorkers
from yao_tasks.engines import transactions
from yao_tasks.engines.base import Callables, Home
from yao_tasks.engines.batches import Batches

if TYPE_CHECKING:
    from yao_tasks.journal.rows import RowsOf


def _threads(runner: Runner, definition: Definition, home: Home) -> Workers:
    return ThreadWorkers(runner)


def _coroutines(runner: Runner, definition: Definition, home: Home) -> Workers:
    from yao_tasks.engines import coroutines

    return coroutines.workers(runner, home)


def _processes(runner: Runner, definition: Definition, home: Home) -> Workers:
    assert home.children is not None
    names = ("process", "retry_on", "give_up_on")
    setup = {name: getattr(definition, name) for name in names}
    return ProcessWorkers(runner, home.children, {"task": definition.id, **setup})


# By the `worker_type` of `Callables`.
WORKERS: dict[str, Callable[[Runner, Definition, Home], Workers]] = {
    "thread": _threads,
    "async": _coroutines,
    "process": _processes,
}


class Parts:
    """The parts of one pool, each of which knows only those below it."""

    is_inline = False
    asks_database = False
    # Whether the arguments leave this process.
    sends_arguments = False
    # Of jobs that events have recorded.
    event_rows: "RowsOf | None" = None
    told_elsewhere = False
    announcer_class = Announcer
    ends_class = Ends

    def __init__(self, definition: Definition, callables: Callables, home: Home) -> None:
        self.definition = definition
        self.home = home
        self.monotonic = home.clock.monotonic
        self.make_id = callables.next_id
        self.sends_arguments = callables.worker_type == "process"
        self.has_terms = definition.unique or bool(home.carriers)
        events = _callable_events(callables, home)
        self.adds_plainly = events.add is None
        # An async event.add is awaited in the event loop, and no caller waits for it.
        self.awaits_add = events.add is not callables.events.add
        blocks = self.make_id is not None or definition.overflow == "wait"
        self.may_block = blocks or not (self.adds_plainly or self.awaits_add)
        self.make_or_take_id = home.ids.next if self.make_id is None else self.next_id
        retention = home.retention if definition.retention is None else definition.retention
        self.life = life = Lifecycle(
            definition.id, worker_nums=definition.worker_nums, size=definition.size, keeps_ended=retention > 0
        )
        self.watch = Watch(
            life,
            home.clock,
            timeout=definition.timeout,
            overdue=self._overdue,
            hung=self._hung,
            back=self._back,
        )
        self.retention = Retention(life, seconds=retention, most=home.retention_max)
        self.announcer = self.announcer_class(life, self.watch, events, tidy=home.tidy)
        self.times = Times(self.monotonic())
        self.ends = self.ends_class(
            life, self.retention, self.announcer, home.clock, self.times, callables.policy(definition)
        )
        self.places = Places(self.monotonic)
        self.runner = Runner(self.ends, callables.handler, self.places)
        self.workers = self._employ(callables.worker_type)
        self.rows = self.make_rows() if definition.is_recorded else None
        self.dropped = transactions.Dropped()
        self.batches = Batches()
        # Its workers that wait for its own jobs.
        self.waiting_workers: dict[CurrentJob, None] = {}

    def _employ(self, worker_type: str) -> Workers:
        definition, home, self.worker_type = self.definition, self.home, worker_type
        workers = WORKERS[worker_type](self.runner, definition, home)
        self.ends.workforce = workers
        self.announcer.offer = self.offer = workers.offer
        if definition.worker_max is not None:
            workers.growth = Growth(self.life, home.clock, workers.resize, most=definition.worker_max)
        return workers

    def make_rows(self) -> "RowsOf":
        """The rows of this pool's jobs."""
        return self.home.journal.rows_of(self.definition.id, self.life)

    def next_id(self) -> int:
        """A new id, as `Engine.next_id` says."""
        if self.make_id is None:
            return self.home.ids.next()
        job_id = self.make_id()
        # It may be that of a job whose time is over.
        self.retention.trim(self.monotonic())
        if not is_job_id(job_id):
            raise BadJobId(
                f'event.next of "{self.definition.id}" returned {job_id!r}. '
                f"It must return a whole number from 1 to 2**53 - 1 that no job of this task has."
            )
        if self.rows is not None and self.home.journal.is_known(self.definition.id, job_id):
            raise BadJobId(
                f'event.next of "{self.definition.id}" returned {job_id}, which a recorded job of this task has. '
                "Let it return a new id each time."
            )
        return job_id  # type: ignore[no-any-return]

    def find(self, job_id: int) -> Job:
        """A job that lives or is remembered. Raises JobNotFound, JobElsewhere; BadJobId for what is no id."""
        if not self.dropped.empty():
            self.forget_dropped()
        check_id(job_id)
        job = self.retention.find(job_id, self.monotonic()) or self.batches.find(job_id)
        if job is None:
            raise self._missing(job_id)
        return job

    def refuse_to_block(self, what: str, instead: str) -> None:
        """RuntimeError in the thread that runs the pool's own coroutines: what is waited for there never comes."""
        if self.workers.blocks:
            raise RuntimeError(
                f"{what} in the thread of the event loop that runs its coroutines: they would wait for it as it "
                f"for them. Write: await {instead}."
            )

    def forget_dropped(self) -> None:
        """Take out the jobs whose transactions were rolled back."""
        while True:
            try:
                job, committed = self.dropped.get_nowait()
            except Empty:
                return
            self.life.drop(job)
            if committed:
                log.callback_lost(self.definition.id, job)

    def _missing(self, job_id: int) -> JobNotFound:
        task, ids, elsewhere = self.definition.id, self.home.ids, self._elsewhere(job_id)
        if elsewhere is not None:
            text = (
                f'Job {job_id} of "{task}" lives in the memory of process {elsewhere.pid}, which can\'t be read from '
                f'process {ids.pid}. Give the task "record": true, and each process finds its jobs in the database.'
            )
            if not self.told_elsewhere:
                # Once a task: whoever polls asks every second.
                self.told_elsewhere = True
                log.elsewhere(task, job_id, text)
            return JobElsewhere(text)
        if self.make_id is None and not ids.is_ours(job_id) and ids.owner(job_id) is None:
            return JobNotFound(
                f'"{task}" has no job {job_id}, and no process of this site remembers that id.'
            )
        seconds = self.retention.success_seconds
        return JobNotFound(
            f'"{task}" has no job {job_id} any more, if it ever had: an ended one is remembered for {seconds:g} s.'
        )

    def _elsewhere(self, job_id: int) -> Owner | None:
        """The other live process of this machine that handed out the id."""
        ids = self.home.ids
        if self.make_id is not None or ids.is_ours(job_id):
            return None
        owner = ids.owner(job_id)
        return owner if owner is not None and owner.pid != ids.pid and owner.is_alive else None

    def _overdue(self, job: Job, attempt: int, seconds: float) -> None:
        self.ends.timed_out(job, attempt, seconds)

    def _hung(self, call: Call) -> bool:
        """An event doesn't come back. Answers whether a worker was given up for it. Called by the clock."""
        if call.give_up is not None:
            call.give_up()
            return False
        given_up = self.workers.give_up(call.thread)
        if given_up is None:
            self.announcer.give_up(call.thread)
        return bool(given_up)

    def _back(self) -> None:
        self.workers.crew.take_back()


def _callable_events(callables: Callables, home: Home) -> Events:
    if callables.worker_type != "async":
        return callables.events
    from yao_tasks.engines import coroutines

    return coroutines.callable_events(callables.events, home)


def is_mine(job: Job) -> bool:
    """Whether the job is held by a transaction, or an `event.add`, of the calling thread or coroutine."""
    inside = marker()
    return job.holder == threading.get_ident() or (inside is not None and inside[0] is job)


def is_job_id(value: object) -> bool:
    """Whether a value can be a job's id: an int, no bool, from 1 to 2**53 - 1."""
    return type(value) is int and 0 < value < LIMIT


def check_id(job_id: object) -> None:
    """Raise BadJobId for what is no integer. One that no job can have is simply not found."""
    if type(job_id) is not int:
        raise BadJobId(f"{job_id!r} is no job id. Give the whole number that add returned.")
