"""The inline engine: each job runs at `add`, in the caller's thread and transaction. For tests."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from yao_tasks.core import strict
from yao_tasks.core.announcer import Announcer
from yao_tasks.core.clock import Clock
from yao_tasks.core.definitions import Definition
from yao_tasks.core.ends import Ends, Nobody
from yao_tasks.core.errors import TasksError
from yao_tasks.core.jobs import ADDING, FAILED, READY, Job
from yao_tasks.engines.base import DEFAULTS, Arguments, Block, Callables, Home, Options
from yao_tasks.engines.embedded import EmbeddedEngine
from yao_tasks.engines.plain import plain
from yao_tasks.engines.signatures import check_call

if TYPE_CHECKING:
    from yao_tasks.journal.rows import RowsOf

WORKER = "inline"


class _InlineAnnouncer(Announcer):
    def announce(self, job: Job) -> None:
        """Tell the end at once: there is no thread to leave it to."""
        self.tell(job)


class _InlineEnds(Ends):
    """Keeps what the last run of a job raised, until the job's end is looked at."""

    exceptions: dict[int, BaseException]

    def _is_overdue(self, job: Job, attempt: int, now: float) -> bool:
        """Never: nobody is kept from anything by a job that takes long."""
        return False

    def raised(self, job: Job, attempt: int, exception: BaseException) -> bool:
        """As `Ends.raised`; the next run follows at once."""
        self.exceptions[job.id] = exception
        tells = super().raised(job, attempt, exception)
        self._due(job.id, job.added, attempt)
        return tells


class InlineEngine(EmbeddedEngine):
    """As the embedded one, without threads: no waiting, no timeout; delays and retries follow at once.

    `raise_errors`: `add` raises what the last run raised, as a call of the handler would.
    """

    is_inline = True
    announcer_class = _InlineAnnouncer
    ends_class = _InlineEnds

    def __init__(
        self, definition: Definition, callables: Callables, home: Home, *, raise_errors: bool = False
    ) -> None:
        # The caller's connections are the caller's to close. A clock of its own that never starts: no timeouts.
        super().__init__(definition, plain(callables), replace(home, clock=Clock(), tidy=lambda _: None))
        self.worker_type = callables.worker_type
        # From a coroutine, `aadd` has Django's own thread run it, whose transaction the test is in.
        self.may_block = self.may_block or callables.worker_type == "async"
        self.handler = self.runner.handler
        self.raise_errors = raise_errors
        self.exceptions: dict[int, BaseException] = {}
        assert isinstance(self.ends, _InlineEnds)
        self.ends.exceptions = self.exceptions
        # Nobody to offer a job to: who adds it goes on with it.
        self.ends.workforce = Nobody()
        self.announcer.offer = self.offer = self.ends.workforce.offer

    def make_rows(self) -> "RowsOf":
        """The rows of this pool's jobs, written in the caller's transaction."""
        return self.home.journal.rows_of(self.definition.id, self.life, at_once=True)

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """Run a job to its end and answer its id. TypeError where the handler can't be called like this."""
        check_call(self.definition, self.handler, args, kwargs)
        if self.sends_arguments:
            args, kwargs = strict.copied(args, kwargs)
        job = self._new(job_id or self.next_id(), args, kwargs, _at_once(options))
        self._admit(job, ADDING)
        if job.row is not None:
            job.row.touch(job)
        self._release(job)
        self._take([(job, options)])
        return job.id

    def add_many(self, calls: Sequence[Arguments], options: Options, *, partial: bool) -> list[int]:
        """Add all, then run one after the other; raises the first exception, when all have run."""
        for args, kwargs in calls:
            check_call(self.definition, self.handler, args, kwargs)
        ids = super().add_many(calls, _at_once(options), partial=partial)
        self._take([(self.find(job_id), options) for job_id in ids if job_id])
        return ids

    def hold(
        self,
        calls: Sequence[Arguments],
        options: Options,
        block: Block,
        *,
        partial: bool = False,
        ids: Iterable[int] = (),
    ) -> list[int]:
        """Run them at once: there is no waiting for a commit here."""
        return self.add_many(calls, options, partial=partial)

    def retry(self, job_id: int) -> None:
        """Run a failed job again."""
        super().retry(job_id)
        self._take([(self.find(job_id), None)])

    def pause(self) -> None:
        """Start no more jobs."""
        self.workers.crew.pause(True)

    def resume(self) -> None:
        """Start jobs again: run those that wait."""
        self.workers.crew.pause(False)
        self._run_all([job for job in list(self.life.jobs.values()) if job.status == READY])

    def resize(self, worker_nums: int) -> None:
        """Want so many workers; there is none."""
        self.workers.crew.resize(worker_nums)

    def can_work(self) -> bool:
        """Whether a job will end by itself: one that runs, in another thread."""
        return bool(self.life.running)

    def _take(self, jobs: Sequence[tuple[Job, Options | None]]) -> None:
        """Go on with jobs that are ready. `Options`: those with which it was added, None for one that is retried."""
        self._run_all([job for job, _ in jobs])

    def _run_all(self, jobs: Sequence[Job]) -> None:
        raised = [error for error in map(self._run, jobs) if error is not None]
        if raised:
            raise raised[0]

    def _run(self, job: Job) -> BaseException | None:
        """Run a job to its end. Answers the exception of its last run, if that is to be raised."""
        while job.status == READY and not self.life.paused:
            self.runner.run(job, WORKER)
        exception = self.exceptions.pop(job.id, None)
        return exception if self.raise_errors and job.status == FAILED else None

    def _prepare(self) -> None:
        """No thread is needed."""

    def _open_journal(self) -> None:
        """Nor for this."""

    def _wait_or_raise(self, refusal: TasksError, *_: Any, count: int = 1) -> None:
        """Nobody would make a place meanwhile: the refusal stands."""
        self.life.count_refusal(count)
        raise refusal


def _at_once(options: Options) -> Options:
    """The same without what would have the job wait."""
    return replace(options, on_commit=False, run_after=None)
