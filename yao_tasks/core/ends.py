"""How a run comes to its end: it returned, it raised, its time was over, or somebody cut it off.

Each settles the run in the lifecycle first; who comes second changes nothing. Then what belongs to an end:
remembering, the next run, the log, the events.
"""

import threading
from functools import partial
from typing import Protocol

from yao_tasks.core import log
from yao_tasks.core.announcer import Announcer
from yao_tasks.core.clock import Clock
from yao_tasks.core.errors import JobTimeout
from yao_tasks.core.failures import describe, timed_out
from yao_tasks.core.jobs import ADDING, HELD, RUNNING, Job, JobError
from yao_tasks.core.lifecycle import LIVE, RUNS, Lifecycle
from yao_tasks.core.metrics import Times
from yao_tasks.core.retention import Retention
from yao_tasks.core.retries import RetryPolicy

# A handler that co-operates comes back in this time; after it, its worker counts as hanging (s).
GRACE = 0.2


class Workforce(Protocol):
    """What the ends need of a pool's workers."""

    stoppable: bool
    """Whether a run that was cut off really stops: then its job can run again."""

    def offer(self, job: Job) -> None:
        """Let a worker take the job."""

    def relieve(self) -> None:
        """Replace workers that hang, as far as that is allowed. Called by the clock."""

    def came_back(self) -> None:
        """One that hung hangs no more. Called by that worker."""

    def stop(self, job: Job, attempt: int) -> None:
        """A run was settled while a worker is in it: stop the work, if it can be. Never blocks."""


class Nobody:
    """No workers: those of a pool that has none, or whose own are not built yet."""

    stoppable = False

    def offer(self, job: Job) -> None:
        """Nobody takes it."""

    def relieve(self) -> None:
        """Nobody hangs."""

    def came_back(self) -> None:
        """Nobody hung."""

    def stop(self, job: Job, attempt: int) -> None:
        """Nobody works."""


class Ends:
    """The ends of one pool's runs. `returned` and `raised` are for the worker, the others for anyone."""

    def __init__(
        self,
        life: Lifecycle,
        retention: Retention,
        announcer: Announcer,
        clock: Clock,
        times: Times,
        policy: RetryPolicy,
    ) -> None:
        self.life = life
        self.retention = retention
        self.announcer = announcer
        self.clock = clock
        self.monotonic = clock.monotonic
        self.times = times
        self.policy = policy
        self.workforce: Workforce = Nobody()
        self.tells_success = announcer.events.success is not None
        self.timeout = announcer.timeout
        # Runs that were settled while their workers were in them: (job, attempt) -> worker, since (monotonic).
        self.cut_off: dict[tuple[int, int], tuple[str, float]] = {}
        self._came_back: set[tuple[int, int]] = set()
        # Guards these two.
        self._guard = threading.Lock()

    def returned(self, job: Job, attempt: int, result: object) -> bool:
        """A handler returned. Answers whether that is to be told, by `tell`; else its worker is free."""
        life, now, tells, retention = self.life, self.monotonic(), self.tells_success, self.retention
        if (job.terms is not None or now - (job.started or 0.0) >= self.timeout) and self._is_overdue(
            job, attempt, now
        ):
            return False
        surplus = retention.surplus() if len(retention.successes) >= retention.most else None
        if not life.succeed(job, attempt, result, now, resting=not tells, surplus=surplus):
            self._late(job, attempt)
            return False
        self.times.succeeded(job, now)
        if job.row is not None:
            job.row.touch(job)
        if life.keeps_ended:
            retention.successes.append(job)
        if now >= retention.next_look:
            retention.trim(now)
        return tells

    def raised(self, job: Job, attempt: int, exception: BaseException) -> bool:
        """A handler raised, whatever it was. Answers as `returned` does."""
        if self._is_overdue(job, attempt, self.clock.monotonic()):
            return False
        # A Retry while the pool is being closed costs no attempt: the handler was asked to come to an end.
        free = self.life.closing and self.policy.judge(exception).asked
        now, delay = self.clock.monotonic(), self.policy.delay(exception, 0 if free else attempt - job.base)
        error = describe(exception)
        if delay is not None:
            settled = self.life.postpone(job, attempt, now + delay)
        else:
            settled = self.life.fail(job, attempt, error, now)
        if not settled:
            self._late(job, attempt)
        elif delay is not None:
            self.times.retried(now)
            self._note_run(job, attempt, now, error)
            log.retrying(self.life.task, job, attempt, error, delay)
            self.life.rest(late=False)
            self._again(job, attempt, now, delay)
        else:
            self.times.failed(job, now, ran=True)
            if job.row is not None:
                job.row.touch(job)
            self.retention.keep(job, now)
            return True
        return False

    def tell(self, job: Job, exception: BaseException | None = None) -> None:
        """Tell the end of a job that its worker made; then that is free. `exception`: its last run raised it."""
        if exception is None:
            self.announcer.succeeded(job)
        else:
            self.announcer.failed(job, exception)
        self.life.rest(late=False)

    def _is_overdue(self, job: Job, attempt: int, now: float) -> bool:
        """Whether a run comes back after its deadline. If so its end is the timeout, though the clock was kept from
        looking in time, as by a call that held the GIL."""
        started, timeout = job.started, self.timeout
        if job.terms is not None and job.terms.timeout is not None:
            timeout = job.terms.timeout
        if started is None or now - started < timeout or job.attempt != attempt:
            return False
        self.timed_out(job, attempt, timeout)
        self._late(job, attempt)
        return True

    def timed_out(self, job: Job, attempt: int, seconds: float) -> None:
        """The deadline of a run has passed. Called by the clock."""
        now = self.clock.monotonic()
        error, delay = self.verdict_of_timeout(job, attempt, seconds)
        if delay is None:
            self.cut(job, error, among=RUNS, attempt=attempt)
        elif self.life.postpone(job, attempt, now + delay, stuck=True):
            self.left_behind(job, attempt)
            self.times.retried(now)
            self._note_run(job, attempt, now, error)
            log.aside(log.retrying, self.life.task, job, attempt, error, delay)
            self._again(job, attempt, now, delay)

    def verdict_of_timeout(self, job: Job, attempt: int, seconds: float) -> tuple[JobError, float | None]:
        """How a run that took longer than that is told, and in how many seconds it is tried again; None: never."""
        text = f"The run took longer than {seconds:g} s."
        stoppable = self.workforce.stoppable
        delay = self.policy.delay_of_timeout(JobTimeout(text), attempt - job.base, stoppable=stoppable)
        if delay is not None:
            return timed_out(text), delay
        reason = ""
        if attempt - job.base > self.policy.attempts > 0:
            reason = " It was the last that its definition allows."
        elif not stoppable:
            reason = (
                " It isn't tried again: a thread can't be stopped, and this one may still be doing its work."
            )
        return timed_out(text + reason), None

    def cut(self, job: Job, error: JobError, *, among: range = LIVE, attempt: int | None = None) -> bool:
        """End a live job from outside; as `Lifecycle.end` says. False if there was nothing to end."""
        now = self.clock.monotonic()
        before = self.life.end(job, error, now, among=among, attempt=attempt)
        if before is None:
            return False
        if before == RUNNING:
            self.left_behind(job, job.attempt)
        self.times.failed(job, now, ran=before == RUNNING)
        if job.row is not None and before != HELD:
            job.row.touch(job)
        # A rollback may still come, after which the job never was: its adder remembers it, if it is committed.
        if before != HELD:
            self.retention.keep(job, now)
        # What is still being added is announced by its adder: event.add comes before event.error.
        if before not in (HELD, ADDING):
            self.announcer.announce(job)
        return True

    def due_at(self, job: Job, attempt: int, due: float) -> None:
        """Have the job run at `due` (monotonic), if it still waits for the run after `attempt` then."""
        # By id: a job that is cancelled meanwhile isn't kept alive until then. `added`: the id may be given again.
        self.clock.at(due, partial(self._due, job.id, job.added, attempt))

    @staticmethod
    def _note_run(job: Job, attempt: int, now: float, error: JobError) -> None:
        if job.row is not None:
            job.row.ran(job, attempt, now, error)
            job.row.touch(job)

    def _again(self, job: Job, attempt: int, now: float, delay: float) -> None:
        if delay <= 0:
            self._due(job.id, job.added, attempt)
        else:
            self.due_at(job, attempt, now + delay)

    def _due(self, job_id: int, added: float, attempt: int) -> None:
        job = self.life.jobs.get(job_id)
        if job is not None and job.added == added and self.life.ready(job, attempt, self.clock.monotonic()):
            self.workforce.offer(job)

    def left_behind(self, job: Job, attempt: int) -> None:
        """A run was settled while a worker is in it: the worker is stuck until it comes back."""
        run = (job.id, attempt)
        with self._guard:
            if run in self._came_back:
                self._came_back.remove(run)
                return
            now = self.monotonic()
            self.cut_off[run] = (job.worker or "", now)
        self.workforce.stop(job, attempt)
        self.clock.at(now + GRACE, self.workforce.relieve)

    def _late(self, job: Job, attempt: int) -> None:
        run = (job.id, attempt)
        with self._guard:
            if self.cut_off.pop(run, None) is None:
                # Sooner than the one who cut it off could write it down.
                self._came_back.add(run)
        self.life.rest(late=True)
        self.workforce.came_back()
        log.late(self.life.task, job, attempt)
