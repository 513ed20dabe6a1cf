"""The embedded engine: one task's jobs in the memory of this process, run by threads of its own."""

import threading
import time
from collections.abc import Mapping
from queue import Empty
from typing import Any

from yao_tasks.core import log
from yao_tasks.core.announcer import Announcer
from yao_tasks.core.current import current_job
from yao_tasks.core.definitions import Definition
from yao_tasks.core.ends import Ends
from yao_tasks.core.errors import BadJobId, JobElsewhere, JobNotFound, PoolClosed
from yao_tasks.core.failures import ended_by
from yao_tasks.core.ids import LIMIT
from yao_tasks.core.jobs import ADDING, DROPPED, HELD, READY, Job, JobError, JobInfo, draw
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.metrics import metrics
from yao_tasks.core.retention import Retention
from yao_tasks.core.retries import delay
from yao_tasks.core.runs import Runner
from yao_tasks.core.waiting import wait
from yao_tasks.core.watch import Watch
from yao_tasks.core.workers.thread import ThreadWorkers
from yao_tasks.engines import transactions
from yao_tasks.engines.base import DEFAULTS, Callables, Home, Options
from yao_tasks.engines.live import LiveJobs

# A job held by another thread's transaction may vanish with it; who waits for it looks this often (s).
HELD_LOOK = 0.05
# What an announcer is given to tell the last ends of a pool that is closed (s).
LAST_WORDS = 1.0


class EmbeddedEngine:
    """The jobs of one task, in memory. Starts its threads with its first job."""

    supports = frozenset({"add", "get", "wait", "progress", "cancel", "jobs", "metrics", "close"})
    announcer_class = Announcer

    def __init__(self, definition: Definition, callables: Callables, home: Home) -> None:
        self.definition = definition
        self.home = home
        self.make_id = callables.next_id
        self.has_add_event = callables.events.add is not None
        retention = home.retention if definition.retention is None else definition.retention
        life = Lifecycle(
            definition.id, worker_nums=definition.worker_nums, size=definition.size, keeps_ended=retention > 0
        )
        watch = Watch(life, home.clock, timeout=definition.timeout, cut=self._cut)
        self.life = life
        self.watch = watch
        self.retention = Retention(life, seconds=retention, most=home.retention_max)
        self.announcer = self.announcer_class(life, watch, callables.events, tidy=home.tidy)
        self.ends = Ends(
            life,
            self.retention,
            self.announcer,
            home.clock,
            delay=self._delay,
            offer=self._offer,
        )
        self.runner = Runner(self.ends, callables.handler)
        self.workers = ThreadWorkers(self.runner)
        self.dropped = transactions.Dropped()
        self.opened = False

    # Adding

    def next_id(self) -> int:
        """A new id, as `Engine.next_id` says."""
        if self.make_id is None:
            return self.home.ids.next()
        job_id = self.make_id()
        # It may be that of a job whose time is over.
        self.retention.trim(self.home.clock.monotonic())
        if not is_job_id(job_id):
            raise BadJobId(
                f'event.next of "{self.definition.id}" returned {job_id!r}. '
                f"It must return a whole number from 1 to 2**53 - 1 that no job of this task has."
            )
        return job_id  # type: ignore[no-any-return]

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """Add a job, as `Engine.add` says."""
        if not self.opened:
            self._open()
        if not self.dropped.empty():
            self._forget_dropped()
        if job_id is None:
            job_id = self.next_id()
        block = transactions.open_block(options.database) if options.on_commit else None
        job = Job(job_id, args, kwargs, self.home.clock.monotonic(), time.time())
        if block is not None:
            job.holder = threading.get_ident()
            self.life.admit(job, HELD)
            transactions.hold(job, block, self._committed, self.dropped)
        elif self.has_add_event:
            job.holder = threading.get_ident()
            self.life.admit(job, ADDING)
            self._release(job)
        else:
            self.life.admit(job, READY)
            self._offer_new(job)
        return job_id

    def _open(self) -> None:
        try:
            self.home.opening()
        except RuntimeError as error:
            raise PoolClosed(f'"{self.definition.id}": this process is about to end ({error}).') from error
        self.opened = True

    def _committed(self, job: Job) -> None:
        if not self.life.accept(job):
            self.retention.keep(job, self.home.clock.monotonic())
        self._release(job)

    def _release(self, job: Job) -> None:
        self.announcer.added(job)
        if self.life.release(job):
            self._offer_new(job)
        else:
            self.announcer.announce(job)

    def _offer_new(self, job: Job) -> None:
        try:
            self._offer(job)
        except RuntimeError as error:
            self.ends.cut(job, None, ended_by("lost", f"No worker thread could be started: {error}."))
            raise PoolClosed(
                f'"{self.definition.id}": no worker thread could be started ({error}).'
            ) from error

    def _offer(self, job: Job) -> None:
        self.workers.offer(job)

    def _delay(self, attempt: int) -> float | None:
        return delay(self.definition, attempt)

    def _forget_dropped(self) -> None:
        while True:
            try:
                job, committed = self.dropped.get_nowait()
            except Empty:
                return
            self.life.drop(job)
            if committed:
                log.callback_lost(self.definition.id, job)

    # Looking

    def get(self, job_id: int) -> JobInfo:
        """The job as it is now, as `Engine.get` says."""
        return draw(self._find(job_id), self.life.task, self.life.lock)

    def wait(self, job_id: int, timeout: float | None) -> JobInfo:
        """Wait for the job's end, as `Engine.wait` says."""
        job, monotonic = self._find(job_id), self.home.clock.monotonic
        until = None if timeout is None else monotonic() + timeout
        while True:
            if job.status in (HELD, ADDING) and transactions.is_mine(job):
                raise RuntimeError(
                    f"Job {job_id} waits for this thread itself, to commit its transaction or to return from "
                    "event.add: wait for it after that."
                )
            left = None if until is None else until - monotonic()
            step = left if job.status != HELD else HELD_LOOK if left is None else min(left, HELD_LOOK)
            ended = wait(job, self.life.lock, step)
            self._forget_dropped()
            if job.status == DROPPED:
                raise JobNotFound(f"Job {job_id} never was: the transaction that added it was rolled back.")
            if ended:
                return draw(job, self.life.task, self.life.lock)
            if until is not None and monotonic() >= until:
                raise TimeoutError(
                    f'Job {job_id} of "{self.definition.id}" has not ended within {timeout:g} s.'
                )

    def jobs(self) -> Mapping[int, JobInfo]:
        """The live jobs."""
        self._forget_dropped()
        return LiveJobs(self.life)

    def metrics(self) -> dict[str, Any]:
        """The pool in numbers, as `core.metrics` says."""
        self._forget_dropped()
        now = self.home.clock.monotonic()
        self.retention.trim(now)
        return metrics(self.life, self.announcer, now)

    def _find(self, job_id: int) -> Job:
        if not self.dropped.empty():
            self._forget_dropped()
        check_id(job_id)
        job = self.retention.find(job_id, self.home.clock.monotonic())
        if job is None:
            raise self._missing(job_id)
        return job

    def _missing(self, job_id: int) -> JobNotFound:
        task, ids = self.definition.id, self.home.ids
        owner = None
        if self.make_id is None and not ids.is_ours(job_id):
            owner = ids.owner(job_id)
            if owner is not None and owner.pid != ids.pid and owner.is_alive:
                return JobElsewhere(
                    f'Job {job_id} of "{task}" lives in the memory of process {owner.pid}, which can\'t be read from '
                    f'process {ids.pid}. Run the site with one process, or give the task "record": true or a host.'
                )
        if self.make_id is None and not ids.is_ours(job_id) and owner is None:
            return JobNotFound(
                f'"{task}" has no job {job_id}, and no process of this site remembers that id.'
            )
        seconds = self.retention.success_seconds
        return JobNotFound(
            f'"{task}" has no job {job_id} any more, if it ever had: an ended one is remembered for {seconds:g} s.'
        )

    # Steering

    def progress(self, job_id: int, current: float, total: float, message: str) -> None:
        """Report progress, as `Engine.progress` says."""
        inside = current_job()
        if inside is not None and inside.id == job_id and inside.task == self.definition.id:
            # Of this run, not of one that has followed it.
            inside.progress(current, total, message)
        else:
            self.announcer.report(self._find(job_id), None, current, total, message)

    def cancel(self, job_id: int) -> bool:
        """End the job, as `Engine.cancel` says."""
        try:
            job = self._find(job_id)
        except JobNotFound:
            return False
        done = self._cut(job, None, ended_by("cancelled", "The job was cancelled."))
        self.workers.sweep()
        return done

    def _cut(self, job: Job, attempt: int | None, error: JobError) -> bool:
        return self.ends.cut(job, attempt, error)

    # Leaving

    def live(self) -> int:
        """How many jobs wait or run."""
        self._forget_dropped()
        return len(self.life.jobs)

    def can_work(self) -> bool:
        """Whether anybody is left to run them: a thread that isn't stuck."""
        return not self.life.threads or self.life.threads > self.life.stuck

    def refuse(self) -> None:
        """Take no more jobs, and let the running ones know."""
        self.life.close()

    def close(self, timeout: float) -> list[int]:
        """Close the pool, as `Engine.close` says."""
        monotonic = self.home.clock.monotonic
        deadline = monotonic() + timeout
        self.refuse()
        self.settle_down(deadline)
        error = ended_by("lost", "The pool was closed before the job could end.")
        left = [job.id for job in list(self.life.jobs.values()) if self._cut(job, None, error)]
        if left:
            log.lost(self.definition.id, left)
        self.workers.leave(deadline, monotonic)
        self.announcer.finish(max(LAST_WORDS, deadline - monotonic()))
        return left

    def settle_down(self, deadline: float) -> None:
        """Wait until no job lives any more, nobody is left to run it, or the deadline (monotonic) has passed."""
        monotonic, life = self.home.clock.monotonic, self.life
        while (left := deadline - monotonic()) > 0:
            self._forget_dropped()
            job = next(iter(list(life.jobs.values())), None)
            if job is None or not self.can_work():
                return
            wait(job, life.lock, min(left, HELD_LOOK))


def is_job_id(value: object) -> bool:
    """Whether a value can be a job's id: an int, no bool, from 1 to 2**53 - 1."""
    return type(value) is int and 0 < value < LIMIT


def check_id(job_id: object) -> None:
    """Raise BadJobId for what is no integer. One that no job can have is simply not found."""
    if type(job_id) is not int:
        raise BadJobId(f"{job_id!r} is no job id. Give the whole number that add returned.")
