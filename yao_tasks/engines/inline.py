"""The inline engine: each job runs at `add`, in the caller's thread and transaction. For tests."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from yao_tasks.core.announcer import Announcer
from yao_tasks.core.definitions import Definition
from yao_tasks.core.ends import Ends, Nobody
from yao_tasks.core.jobs import ADDING, FAILED, READY, Job
from yao_tasks.engines.base import DEFAULTS, Arguments, Callables, Home, Options
from yao_tasks.engines.embedded import EmbeddedEngine

WORKER = "inline"


class _InlineAnnouncer(Announcer):
    def announce(self, job: Job) -> None:
        """Tell the end at once: there is no thread to leave it to."""
        self.tell(job)


class _InlineEnds(Ends):
    """Keeps what the last run of a job raised, until `add` takes it."""

    exceptions: dict[int, BaseException]

    def raised(self, job: Job, attempt: int, exception: BaseException) -> None:
        """As `Ends.raised`; the next run follows at once."""
        self.exceptions[job.id] = exception
        super().raised(job, attempt, exception)
        self._due(job.id, job.added, attempt)


class InlineEngine(EmbeddedEngine):
    """As the embedded one, without threads: no waiting, no timeout; delays and retries follow at once.

    `raise_errors`: `add` raises what the last run raised, as a call of the handler would.
    """

    announcer_class = _InlineAnnouncer
    ends_class = _InlineEnds

    def __init__(
        self, definition: Definition, callables: Callables, home: Home, *, raise_errors: bool = False
    ) -> None:
        # The caller's connections are the caller's to close.
        super().__init__(definition, callables, replace(home, tidy=lambda _: None))
        self.raise_errors = raise_errors
        self.exceptions: dict[int, BaseException] = {}
        assert isinstance(self.ends, _InlineEnds)
        self.ends.exceptions = self.exceptions
        # Nobody to offer a job to: who adds it goes on with it.
        self.ends.workforce = Nobody()

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """Run a job to its end and answer its id."""
        job = self._new(job_id or self.next_id(), args, kwargs, replace(options, run_after=None))
        self._admit(job, ADDING)
        self._release(job)
        self._run(job)
        return job.id

    def add_many(self, calls: Sequence[Arguments], options: Options, *, partial: bool) -> list[int]:
        """Run one job after the other."""
        return [self.add(args, kwargs, options) for args, kwargs in calls]

    def retry(self, job_id: int) -> None:
        """Run a failed job again."""
        super().retry(job_id)
        self._run(self.find(job_id))

    def _prepare(self) -> None:
        """No thread is needed."""

    def _run(self, job: Job) -> None:
        while job.status == READY:
            self.runner.run(job, WORKER)
        exception = self.exceptions.pop(job.id, None)
        if self.raise_errors and exception is not None and job.status == FAILED:
            raise exception
