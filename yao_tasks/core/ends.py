"""How a run comes to its end: it returned, it raised, or somebody else cut it off.

Each settles the run in the lifecycle first; who comes second changes nothing. Then what belongs to an end:
remembering, the next run, the log, the events.
"""

from collections.abc import Callable
from functools import partial

from yao_tasks.core import log
from yao_tasks.core.announcer import Announcer
from yao_tasks.core.clock import Clock
from yao_tasks.core.failures import describe
from yao_tasks.core.jobs import ADDING, HELD, Job, JobError
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.retention import Retention

Delay = Callable[[int], float | None]
"""Seconds until the run after the given one (from 1); None: no retry is left."""


class Ends:
    """The ends of one pool's runs. `returned` and `raised` are for the worker, `cut` for anyone."""

    def __init__(
        self,
        life: Lifecycle,
        retention: Retention,
        announcer: Announcer,
        clock: Clock,
        *,
        delay: Delay,
        offer: Callable[[Job], None],
    ) -> None:
        self.life = life
        self.retention = retention
        self.announcer = announcer
        self.clock = clock
        self.delay = delay
        self.offer = offer
        self.tells_success = announcer.events.success is not None

    def returned(self, job: Job, attempt: int, result: object) -> None:
        """A handler returned."""
        life, now, tells = self.life, self.clock.monotonic(), self.tells_success
        surplus = self.retention.surplus()
        if not life.succeed(job, attempt, result, now, resting=not tells, surplus=surplus):
            self._late(job, attempt)
            return
        self.retention.keep(job, now)
        if tells:
            self.announcer.succeeded(job)
            life.rest(late=False)

    def raised(self, job: Job, attempt: int, exception: BaseException) -> None:
        """A handler raised, whatever it was."""
        error, now, delay = describe(exception), self.clock.monotonic(), self.delay(attempt)
        if delay is not None:
            settled = self.life.postpone(job, attempt, now + delay)
        else:
            settled = self.life.fail(job, attempt, error, now)
        if not settled:
            self._late(job, attempt)
        elif delay is not None:
            log.retrying(self.life.task, job, attempt, error, delay)
            self.life.rest(late=False)
            self._again(job, attempt, now + delay, delay)
        else:
            self.retention.keep(job, now)
            self.announcer.failed(job, exception)
            self.life.rest(late=False)

    def cut(self, job: Job, attempt: int | None, error: JobError) -> bool:
        """End a live job from outside; `attempt` as in `Lifecycle.end`. False if there was nothing to end."""
        now = self.clock.monotonic()
        before = self.life.end(job, attempt, error, now)
        if before is None:
            return False
        # A rollback may still come, after which the job never was: its adder remembers it, if it is committed.
        if before != HELD:
            self.retention.keep(job, now)
        # What is still being added is announced by its adder: event.add comes before event.error.
        if before not in (HELD, ADDING):
            self.announcer.announce(job)
        return True

    def _again(self, job: Job, attempt: int, due: float, delay: float) -> None:
        if delay <= 0:
            self._due(job.id, attempt)
        else:
            # By id: a job that is cancelled meanwhile isn't kept alive until then.
            self.clock.at(due, partial(self._due, job.id, attempt))

    def _due(self, job_id: int, attempt: int) -> None:
        job = self.life.jobs.get(job_id)
        if job is not None and self.life.ready(job, attempt):
            self.offer(job)

    def _late(self, job: Job, attempt: int) -> None:
        self.life.rest(late=True)
        log.late(self.life.task, job, attempt)
