"""One run: claim a job, call its handler in a fresh context, report how that ended."""

from collections.abc import Callable
from contextvars import Context
from typing import Any

from yao_tasks.core.current import enter
from yao_tasks.core.ends import Ends
from yao_tasks.core.jobs import Job


class Runner:
    """Runs jobs of one pool, each in the thread that calls."""

    def __init__(self, ends: Ends, handler: Callable[..., Any]) -> None:
        self.ends = ends
        self.handler = handler
        self.life = ends.life
        self.announcer = ends.announcer
        self.watch = ends.announcer.watch
        self.monotonic = ends.clock.monotonic
        self.tidy = ends.announcer.tidy

    def run(self, job: Job, worker: str) -> BaseException | None:
        """Run a job, if it still waits to be run. Answers what its handler raised."""
        attempt = self.life.start(job, worker, self.monotonic())
        if not attempt:
            return None
        if not self.watch.watched:
            self.watch.attend()
        marker = (job, attempt, self.announcer)
        try:
            result = Context().run(enter, marker, self.handler, (job.id, *job.args), job.kwargs)
        except BaseException as exception:  # noqa: BLE001 - SystemExit and its like fail their job only
            self.ends.raised(job, attempt, exception)
            return exception
        else:
            self.ends.returned(job, attempt, result)
            return None
        finally:
            self.tidy(self.life.task)
