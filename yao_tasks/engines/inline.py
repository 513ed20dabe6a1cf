"""The inline engine: each job runs at `add`, in the caller's thread and transaction. For tests."""

import time
from dataclasses import replace
from typing import Any

from yao_tasks.core.announcer import Announcer
from yao_tasks.core.definitions import Definition
from yao_tasks.core.jobs import ADDING, FAILED, READY, Job
from yao_tasks.engines.base import DEFAULTS, Callables, Home, Options
from yao_tasks.engines.embedded import EmbeddedEngine

WORKER = "inline"


class _InlineAnnouncer(Announcer):
    def announce(self, job: Job) -> None:
        """Tell the end at once: there is no thread to leave it to."""
        self.tell(job)


class InlineEngine(EmbeddedEngine):
    """As the embedded one, without threads: no waiting, no timeout; retries follow at once.

    `raise_errors`: `add` raises what the last run raised, as a call of the handler would.
    """

    announcer_class = _InlineAnnouncer

    def __init__(
        self, definition: Definition, callables: Callables, home: Home, *, raise_errors: bool = False
    ) -> None:
        # The caller's connections are the caller's to close.
        super().__init__(definition, callables, replace(home, tidy=lambda _: None))
        self.raise_errors = raise_errors

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """Run a job to its end and answer its id."""
        job_id = self.next_id() if job_id is None else job_id
        job = Job(job_id, args, kwargs, self.home.clock.monotonic(), time.time())
        self.life.admit(job, ADDING)
        self._release(job)
        exception = None
        while job.status == READY:
            exception = self.runner.run(job, WORKER)
        if self.raise_errors and exception is not None and job.status == FAILED:
            raise exception
        return job.id

    def _offer(self, job: Job) -> None:
        """Nobody to offer it to: `add` goes on with it."""

    def _delay(self, attempt: int) -> float | None:
        return None if super()._delay(attempt) is None else 0.0
