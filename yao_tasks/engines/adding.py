"""How jobs come into an embedded pool: one, many, again."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial as bind
from itertools import repeat
from time import time as wall
from typing import Any, NoReturn

from yao_tasks.core import refusals, strict
from yao_tasks.core.errors import DuplicateJob, PoolClosed, PoolSaturated, QueueFull, TasksError
from yao_tasks.core.failures import expired, lost
from yao_tasks.core.jobs import ADDING, DELAYED, HELD, READY, Job, Terms
from yao_tasks.core.lifecycle import WAITS
from yao_tasks.engines import transactions
from yao_tasks.engines.base import DEFAULTS, Arguments, Block, Options
from yao_tasks.engines.batches import JobIds
from yao_tasks.engines.likeness import key_of
from yao_tasks.engines.parts import Parts


class Adding(Parts):
    """The adding half of an embedded pool."""

    opened = False

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """Add a job, as `Engine.add` says."""
        if self.sends_arguments:
            args, kwargs = strict.copied(args, kwargs)
        # The path of each job: what is rare is asked for in one read each, and calls are few.
        if not self.opened or not self.dropped.empty():
            self._prepare()
        block = transactions.open_block(options.database) if options.on_commit else None
        job = Job(job_id or self.make_or_take_id(), args, kwargs, self.monotonic(), wall())
        if self.rows is not None:
            job.row = self.rows.row(job)
        if self.has_terms or options is not DEFAULTS:
            self._set_terms(job, options)
        if block is None and self.adds_plainly and job.due is None:
            self._admit(job, READY)
            if job.row is not None:
                job.row.touch(job)
            self._offer_new(job)
        elif block is not None:
            job.holder = threading.get_ident()
            self._admit_at_once(job)
            transactions.hold(bind(self._committed, [job]), [job], block, self.dropped)
        else:
            job.holder = threading.get_ident()
            self._admit(job, ADDING)
            if job.row is not None:
                job.row.touch(job)
            self._release(job)
        if options.expires is not None:
            self._expire_after(job, options.expires)
        return job.id

    def add_many(self, calls: Sequence[Arguments], options: Options, *, partial: bool) -> list[int]:
        """Add many jobs, as `Engine.add_many` says."""
        if self.sends_arguments:
            calls = [strict.copied(*call) for call in calls]
        self._prepare()
        block = transactions.open_block(options.database) if options.on_commit else None
        return self._add_many(calls, options, block, partial=partial, new_ids=repeat(0))

    def hold(
        self,
        calls: Sequence[Arguments],
        options: Options,
        block: Block,
        *,
        partial: bool = False,
        ids: Iterable[int] = repeat(0),
    ) -> list[int]:
        """Add many for somebody else's transaction, as `Engine.hold` says."""
        if self.sends_arguments:
            calls = [strict.copied(*call) for call in calls]
        self._prepare()
        return self._add_many(calls, options, block, partial=partial, new_ids=ids)

    def _add_many(
        self,
        calls: Sequence[Arguments],
        options: Options,
        block: Block | None,
        *,
        partial: bool,
        new_ids: Iterable[int],
    ) -> list[int]:
        admitted: dict[int, Job] = {}
        ids: list[int] = []
        if not partial:
            self._reserve(len(calls), patient=block is None)
        try:
            for (args, kwargs), new_id in zip(calls, new_ids, strict=False):
                job = self._new(new_id or self.next_id(), args, kwargs, options)
                ids.append(self._hold_one(job, admitted, partial=partial))
        except BaseException:
            # All or none.
            for job in admitted.values():
                self.life.drop(job)
            self.life.give_back(0 if partial else len(calls) - len(admitted))
            raise
        jobs = list(admitted.values())
        if block is not None:
            transactions.hold(bind(self._committed, jobs), jobs, block, self.dropped)
        else:
            self._committed(jobs)
        for job in jobs if options.expires is not None else ():
            self._expire_after(job, options.expires or 0.0)
        answer = JobIds(ids, admitted)
        self.batches.keep(answer)
        return answer

    def check_room(self, count: int) -> None:
        """Raise where so many could not be added just now, as `Engine.check_room` says."""
        self.life.reserve(count)
        self.life.give_back(count)

    def record(self, job: Job) -> None:
        """Have a job written to the history, as `Engine.record` says."""
        if job.row is None:
            if self.event_rows is None:
                self.event_rows = self.make_rows()
                self._open_journal()
            job.row = self.event_rows.row(job)
        job.row.touch(job)

    def _prepare(self) -> None:
        if not self.opened:
            self._open()
        if not self.dropped.empty():
            self.forget_dropped()

    def _open(self) -> None:
        try:
            self.home.opening()
        except RuntimeError as error:
            raise PoolClosed(f'"{self.definition.id}": this process is about to end ({error}).') from error
        self.opened = True
        if self.rows is not None:
            self._open_journal()

    def _open_journal(self) -> None:
        try:
            self.home.journal.start()
        except RuntimeError as error:
            raise PoolClosed(f'"{self.definition.id}": this process is about to end ({error}).') from error

    def _new(self, job_id: int, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> Job:
        job = Job(job_id, args, kwargs, self.monotonic(), wall())
        if self.rows is not None:
            job.row = self.rows.row(job)
        if self.has_terms or options is not DEFAULTS:
            self._set_terms(job, options)
        return job

    def _set_terms(self, job: Job, options: Options) -> None:
        key = key_of(job.args, job.kwargs, options, unique=self.definition.unique)
        carried = tuple(restore for carry in self.home.carriers if (restore := carry()) is not None)
        if carried and self.sends_arguments and self.home.children is not None:
            # Refused here, rather than where it is sent.
            self.home.children.carried()
        if key is not None or carried or options.priority or options.timeout is not None:
            job.terms = Terms(priority=options.priority, timeout=options.timeout, key=key, carried=carried)
        wait = seconds_until(options.run_after)
        if wait > 0:
            job.due = job.added + wait
        if options.follow is not None:
            waiter = options.follow(job)
            job.waiters = {id(waiter): waiter}

    def _admit(self, job: Job, status: int) -> None:
        try:
            if self.places.waiting:
                # Who came before goes first.
                raise refusals.full(self.definition.id, self.life.size)
            self.life.admit(job, status)
        except TasksError as refusal:
            self._wait_or_raise(refusal, bind(self.life.admit, job, status))

    def _admit_at_once(self, job: Job) -> None:
        """In a transaction nobody waits: the place that is waited for may need its commit."""
        try:
            self.life.admit(job, HELD)
        except TasksError:
            self.life.count_refusal(1)
            raise

    def _reserve(self, count: int, *, patient: bool) -> None:
        reserve = bind(self.life.reserve, count)
        try:
            reserve()
        except TasksError as refusal:
            if not patient:
                self.life.count_refusal(count)
                raise
            self._wait_or_raise(refusal, reserve, count=count)

    def _wait_or_raise(self, refusal: TasksError, admit: Callable[[], None], *, count: int = 1) -> None:
        """Try again as soon as there is a place, where the definition says so; else the refusal stands."""
        patient = self.definition.overflow == "wait" and type(refusal) is QueueFull
        if not (patient and self.places.wait(bind(_tried, admit), self.definition.overflow_wait)):
            self.life.count_refusal(count)
            raise refusal

    def _hold_one(self, job: Job, admitted: dict[int, Job], *, partial: bool) -> int:
        job.holder = threading.get_ident()
        try:
            self.life.admit(job, HELD, reserved=not partial)
        except TasksError as refusal:
            self.life.count_refusal(1)
            if partial and isinstance(refusal, QueueFull | DuplicateJob):
                return 0
            raise
        admitted[job.id] = job
        return job.id

    def _committed(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if not self.life.accept(job):
                self.retention.keep(job, self.monotonic())
            if job.row is not None:
                job.row.touch(job)
            self._release(job)

    def _release(self, job: Job) -> None:
        if self.awaits_add:
            # No thread waits for it: its caller may ask for the job meanwhile.
            job.holder = None
            try:
                self.workers.added(job, bind(self._released, job))
            except RuntimeError as error:
                self._refuse_late(job, error)
        else:
            self.announcer.added(job)
            self._released(job)

    def _released(self, job: Job) -> None:
        status = self.life.release(job)
        if status == READY:
            self._offer_new(job)
        elif status == DELAYED and job.due is not None:
            self.ends.due_at(job, job.attempt, job.due)
        else:
            self.announcer.announce(job)

    def _offer_new(self, job: Job) -> None:
        try:
            self.offer(job)
        except RuntimeError as error:
            self._refuse_late(job, error)

    def _refuse_late(self, job: Job, error: RuntimeError) -> NoReturn:
        self.ends.cut(job, lost(f"No worker thread could be started: {error}."))
        raise PoolClosed(f'"{self.definition.id}": no worker thread could be started ({error}).') from error

    def _expire_after(self, job: Job, seconds: float) -> None:
        self.home.clock.at(job.added + seconds, bind(self._expire, job.id, job.added, seconds))

    def _expire(self, job_id: int, added: float, seconds: float) -> None:
        job = self.life.jobs.get(job_id)
        # The id may have been given again.
        if job is not None and job.added == added:
            error = expired(f"The job had not started {seconds:g} s after it was added.")
            self.ends.cut(job, error, among=WAITS, attempt=job.base)


def seconds_until(moment: float | datetime | None) -> float:
    """Seconds from now, by the wall clock where a moment is given; 0 for None."""
    if isinstance(moment, datetime):
        return (moment - datetime.now(UTC)).total_seconds()
    return moment or 0.0


def _tried(admit: Callable[[], None]) -> bool:
    try:
        admit()
    except PoolSaturated:
        raise
    except QueueFull:
        return False
    return True
