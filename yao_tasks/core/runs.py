"""One run: claim a job, call its handler in a fresh context, report how that ended."""

from collections.abc import Callable
from functools import partial
from typing import Any

from yao_tasks.core.current import fresh
from yao_tasks.core.ends import Ends
from yao_tasks.core.jobs import Job
from yao_tasks.core.places import Places


class Runner:
    """Runs jobs of one pool, each in the thread that calls."""

    def __init__(self, ends: Ends, handler: Callable[..., Any], places: Places) -> None:
        self.ends = ends
        self.handler = handler
        self.places = places
        self.waiting = places.waiting
        self.monotonic = ends.clock.monotonic
        self.task = ends.life.task
        self.life = ends.life
        self.clock = ends.clock
        self.announcer = ends.announcer
        self.watch = ends.announcer.watch
        self.tidy = ends.announcer.tidy

    def run(self, job: Job, worker: str) -> bool:
        """Run a job. False if it can't be started: it was cancelled, or the pool is paused."""
        now = self.monotonic()
        attempt = self.life.start(job, worker, now)
        if not attempt:
            return False
        if job.row is not None:
            job.row.touch(job)
        if not self.watch.watched:
            self.watch.attend()
        if self.waiting:
            self.places.free()
        if job.terms is not None and job.terms.timeout is not None:
            self.clock.at(now + job.terms.timeout, partial(self._overdue, job.id, job.added, attempt))
        marker = (job, attempt, self.announcer)
        try:
            result = fresh(marker).run(self.handler, job.id, *job.args, **job.kwargs)
        except BaseException as exception:  # noqa: BLE001 - SystemExit and its like fail their job only
            self.ends.raised(job, attempt, exception)
        else:
            self.ends.returned(job, attempt, result)
        finally:
            self.tidy(self.task)
        return True

    def _overdue(self, job_id: int, added: float, attempt: int) -> None:
        job = self.life.running.get(job_id)
        if (
            job is not None
            and job.added == added  # the id may have been given again
            and job.attempt == attempt
            and job.terms is not None
            and job.terms.timeout is not None
        ):
            self.ends.timed_out(job, attempt, job.terms.timeout)
