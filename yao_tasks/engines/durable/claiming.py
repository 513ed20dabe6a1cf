"""What the clerk of this process claims for a durable task, workers run; and what it is told of that."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial as bind
from time import time as wall

from yao_tasks.core import log
from yao_tasks.core.current import current_job
from yao_tasks.core.definitions import Definition
from yao_tasks.core.failures import lost
from yao_tasks.core.jobs import ENDING, READY, RUNNING, Job, JobError
from yao_tasks.core.lifecycle import shadow
from yao_tasks.core.strict import decoded
from yao_tasks.engines.base import Callables, Home
from yao_tasks.engines.durable.finishing import DurableFinishing
from yao_tasks.engines.durable.held import PROGRESS_EVERY, Held, given_back, job_of, unreadable
from yao_tasks.journal.durable.claims import Claim
from yao_tasks.journal.durable.endings import Ending
from yao_tasks.journal.sql import in_utc
from yao_tasks.models import JobRecord

# What the clerk is given to write that a run was cut short, before its worker is stopped (s).
LAST_WORDS = 1.0


class DurableClaiming(DurableFinishing):
    """The claiming half of a durable pool: a `Claimant` to the clerk, `Records` to its own ends."""

    def __init__(self, definition: Definition, callables: Callables, home: Home) -> None:
        super().__init__(definition, callables, home)
        self.task = definition.id
        self.tasks = (definition.id, *definition.formerly)
        self.most_result = home.journal.most_result
        self.ends.records = self
        self.announcer.let_finish = self.finishing
        self._moved: dict[Job, None] = {}

    # What the clerk asks of it

    @property
    def workers_wanted(self) -> int:
        """How many jobs it runs at once, as `Claimant.workers_wanted` says."""
        return self.life.wanted

    @property
    def able(self) -> int:
        """How many of these can take a job, as `Claimant.able` says."""
        life = self.life
        if life.closing or life.paused:
            return 0
        growth = self.workers.growth
        # One that can grow does so when it sees work waiting. Stuck ones are no help, but for those that were replaced.
        wanted = life.wanted if growth is None else growth.most
        return max(0, wanted - max(0, life.stuck - life.replaced))

    def adopt(self, claimed: Sequence[Claim]) -> list[Claim]:
        """Run these, as `Claimant.adopt` says."""
        if self.life.paused:
            return list(claimed)
        left = []
        now, database_now = self.monotonic(), self.home.journal.clerk.chores.now()
        for claim in claimed:
            try:
                job = job_of(
                    claim,
                    monotonic=now,
                    database_now=database_now,
                    restore=self.home.restore,
                    moved=self._note_moved,
                )
            except ValueError as error:
                self._end_unreadable(claim, error)
                continue
            if not self.life.adopt(job):
                left.append(claim)
                continue
            if self.is_early(job):
                continue
            try:
                self.offer(job)
            except RuntimeError:
                # The process is about to end, and starts no more threads.
                self.life.let_go(job)
                left.append(claim)
        return left

    def taken_away(self, claim: Claim) -> None:
        """A job that it runs belongs to it no longer, as `Claimant.taken_away` says."""
        job = self.life.jobs.get(claim.job_id)
        # One that is ending learns it from its end.
        if job is not None and isinstance(job.row, Held) and job.row.claim is claim and job.status != ENDING:
            self.let_go(job)
            log.aside(log.taken_away, self.task, job)

    def ended_elsewhere(self, row: JobRecord, error: JobError) -> None:
        """A job that no worker of this process ended: tell that, as `Claimant.ended_elsewhere` says."""
        try:
            args, kwargs = decoded(row.args)
        except ValueError:
            args, kwargs = (), {}
        moment = in_utc(row.added_at)
        added_at = wall() if moment is None else moment.timestamp()
        job = shadow(Job(row.job_id, args, kwargs, self.monotonic() - (wall() - added_at), added_at), error)
        job.attempt = row.attempt
        self.life.count_failure(error.kind)
        if error.kind == "lost":
            log.aside(log.lost_one, self.task, job)
        self.announcer.announce_end(job, None)
        self.wake(row.job_id)

    def reports(self) -> Iterator[tuple[float, float, str, int, int]]:
        """Progress that is to be written, as `Claimant.reports` says."""
        now = self.monotonic()
        for job in list(self._moved):
            held = job.row
            assert isinstance(held, Held)
            if now - held.wrote_at < PROGRESS_EVERY and job.status == RUNNING:
                continue
            self._moved.pop(job, None)
            # Before it is drawn: what changes from here on comes again.
            held.dirty = False
            held.wrote_at = now
            if job.status == RUNNING:
                current, total, message = job.progress
                yield float(current), float(total), message, held.claim.id, held.claim.token

    # What its workers and callers ask of the clerk

    def over(self, ending: Ending, then: Callable[[bool], None]) -> None:
        """Have an end written, as `Records.over` says."""
        self.home.journal.clerk.inbox.over(ending, then)

    def due_again(self, job: Job, due: float) -> None:
        """It is to run again at `due` (monotonic)."""
        if due <= self.monotonic():
            self.wake_workers([job.id])
        else:
            self.home.clock.at(due, bind(self.wake_workers, [job.id]))

    def let_go(self, job: Job) -> None:
        """This process has to do with the job no longer: stop what runs of it."""
        before = self.life.let_go(job)
        if before == RUNNING:
            self.ends.left_behind(job, job.attempt)

    def give_back_unstarted(self, *, older: float = 0.0) -> bool:
        """Let others have what was claimed so many seconds ago and has not started. False if there was nothing."""
        before, found = self.monotonic() - older, False
        for job in list(self.life.jobs.values()):
            if job.status != READY or not isinstance(job.row, Held) or job.row.since > before:
                continue
            if self.life.let_go(job, among=range(READY, RUNNING)):
                found = True
                self.home.journal.clerk.inbox.give_back(job.row.claim)
        self.workers.tokens.sweep()
        return found

    def give_back_running(self) -> list[int]:
        """Let what runs wait again, and stop it once that is written. Answers the ids."""
        left = []
        inside = current_job()
        for job in list(self.life.running.values()):
            if inside is not None and (inside.id, inside.task) == (job.id, self.task):
                # It closes its own pool, and comes to its end after that.
                continue
            ending = given_back(job)
            if self.life.finish(job, job.attempt, stuck=True):
                left.append(job.id)
                self.over(ending, bind(self._given_back, job))
        deadline = self.monotonic() + LAST_WORDS
        with self.listening(*left) as event:
            while any(job_id in self.life.jobs for job_id in left) and self.monotonic() < deadline:
                event.wait(0.05)
        return left

    def _given_back(self, job: Job, written: bool) -> None:
        self.life.let_go(job)
        self.ends.left_behind(job, job.attempt)
        self.wake(job.id)

    def _note_moved(self, job: Job) -> None:
        self._moved[job] = None
        held = job.row
        assert isinstance(held, Held)
        now = self.monotonic()
        due = held.wrote_at + PROGRESS_EVERY
        if due <= now:
            self.home.journal.clerk.inbox.ring()
        else:
            self.home.clock.at(due, self.home.journal.clerk.inbox.ring)

    def _end_unreadable(self, claim: Claim, error: ValueError) -> None:
        ending = unreadable(claim, str(error))
        job = shadow(Job(claim.job_id, (), {}, self.monotonic(), wall()), lost(ending.error))
        self.over(ending, bind(self._told_unreadable, job))

    def _told_unreadable(self, job: Job, written: bool) -> None:
        if written:
            assert job.error is not None
            self.life.count_failure("lost")
            log.aside(log.lost_one, self.task, job)
            self.announcer.announce_end(job, None)
            self.wake(job.id)
