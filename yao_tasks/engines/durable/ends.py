"""The end of a durable run counts once it is written: until then its job is ENDING."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

from django.core.serializers.json import DjangoJSONEncoder

from yao_tasks.core import log
from yao_tasks.core.announcer import Announcer
from yao_tasks.core.ends import Ends
from yao_tasks.core.failures import describe, exception_for
from yao_tasks.core.jobs import SUCCEEDED, Job, JobError
from yao_tasks.engines.durable.held import ending_of
from yao_tasks.journal.durable.endings import Ending

_encode = DjangoJSONEncoder(allow_nan=False, separators=(",", ":")).encode


class Records(Protocol):
    """Where ends are written."""

    most_result: int
    """Bytes of a result's JSON."""

    def over(self, ending: Ending, then: Callable[[bool], None]) -> None:
        """Have an end written, and `then` called with whether it was, or was refused."""

    def wake(self, job_id: int) -> None:
        """Wake who waits for this job by its row."""

    def due_again(self, job: Job, due: float) -> None:
        """It is to run again at `due` (monotonic)."""


class DurableAnnouncer(Announcer):
    """Tells all ends in the pool's own thread: that of the worker has gone on long since."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._raised: dict[Job, BaseException] = {}
        self._coming: dict[Job, Callable[[], None]] = {}
        self.let_finish: Callable[[Job, int, object], AbstractContextManager[None]]
        """Of the engine."""

    def finishing(self, job: Job, attempt: int, result: object) -> AbstractContextManager[None]:
        """Let a run write its job's end itself."""
        return self.let_finish(job, attempt, result)

    def announce_end(self, job: Job, exception: BaseException | None) -> None:
        """Have an end told. `exception`: what the last run raised; None: it succeeded, or nobody raised."""
        if exception is not None:
            self._raised[job] = exception
        self.announce(job)

    def let_in(self, job: Job, come_in: Callable[[], None]) -> None:
        """Have `come_in`, which tells `event.add`, called by the pool's own thread."""
        self._coming[job] = come_in
        self.announce(job)

    def tell(self, job: Job) -> None:
        """Tell an end, in the calling thread; or that a job was added."""
        come_in = self._coming.pop(job, None)
        if come_in is not None:
            come_in()
            return
        exception = self._raised.pop(job, None)
        if job.status == SUCCEEDED:
            self.succeeded(job)
            return
        assert job.error is not None
        self.failed(job, exception or exception_for(job.error))


class DurableEnds(Ends):
    """The ends of one pool's runs, each written before it counts."""

    announcer: DurableAnnouncer
    records: Records

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Runs whose handlers have written their ends themselves, and have not come back: (job, attempt).
        self._finished: set[tuple[int, int]] = set()

    def returned(self, job: Job, attempt: int, result: object) -> bool:
        """A handler returned. Its worker is free: the end is told later, by another thread."""
        now = self.monotonic()
        if self._finished and self._came_back_finished(job, attempt, None):
            return False
        if self._is_overdue(job, attempt, now):
            return False
        try:
            text = self.encoded(result)
        except (TypeError, ValueError) as error:
            return self.raised(job, attempt, error)
        self._over(job, attempt, now, result=text, value=result)
        return False

    def raised(self, job: Job, attempt: int, exception: BaseException) -> bool:
        """A handler raised, whatever it was. Answers as `returned` does."""
        now = self.monotonic()
        if self._finished and self._came_back_finished(job, attempt, exception):
            return False
        if self._is_overdue(job, attempt, now):
            return False
        free = self.life.closing and self.policy.judge(exception).asked
        delay = self.policy.delay(exception, 0 if free else attempt - job.base)
        self._over(job, attempt, now, error=describe(exception), delay=delay, exception=exception)
        return False

    def timed_out(self, job: Job, attempt: int, seconds: float) -> None:
        """The deadline of a run has passed. Called by the clock."""
        error, delay = self.verdict_of_timeout(job, attempt, seconds)
        self._over(job, attempt, self.monotonic(), error=error, delay=delay, stuck=True)

    def finish(self, job: Job, attempt: int) -> bool:
        """The handler writes the end itself. False if the run was settled before."""
        # First: it may come back at once.
        self._finished.add((job.id, attempt))
        finished = self.life.finish(job, attempt)
        if not finished:
            self._finished.discard((job.id, attempt))
        return finished

    def succeeded_by(self, job: Job, now: float, value: object) -> Callable[[bool], None]:
        """What is to be called once an end that the handler has written is known to the clerk."""
        return partial(self._written, job, now, value, None, None, None)

    def not_committed(self, job: Job, attempt: int, exception: BaseException) -> None:
        """The commit of an end that the handler had written failed: that is what the run has come to."""
        now = self.monotonic()
        delay = self.policy.delay(exception, attempt - job.base)
        error, due = describe(exception), None if delay is None else now + delay
        then = partial(self._written, job, now, None, error, due, exception)
        self.records.over(ending_of(job, ended=now, error=error, due=due), then)

    def _came_back_finished(self, job: Job, attempt: int, exception: BaseException | None) -> bool:
        """Whether the handler has written the end itself: what it did after that is dropped."""
        run = (job.id, attempt)
        if run not in self._finished:
            return False
        self._finished.discard(run)
        if exception is not None:
            log.raised_after_end(self.life.task, job, exception)
        self.life.rest(late=False)
        return True

    def _over(
        self,
        job: Job,
        attempt: int,
        now: float,
        *,
        result: str = "",
        value: object = None,
        error: JobError | None = None,
        delay: float | None = None,
        exception: BaseException | None = None,
        stuck: bool = False,
    ) -> None:
        due = None if delay is None else now + delay
        # Drawn before anybody can make another run of the job, and only used where this one counts.
        ending = ending_of(job, ended=now, result=result, error=error, due=due)
        if not self.life.finish(job, attempt, stuck=stuck):
            if not stuck:
                self._late(job, attempt)
            return
        if stuck:
            self.left_behind(job, attempt)
        else:
            self.life.rest(late=False)
        self.records.over(ending, partial(self._written, job, now, value, error, due, exception))

    def _written(
        self,
        job: Job,
        now: float,
        value: object,
        error: JobError | None,
        due: float | None,
        exception: BaseException | None,
        written: bool,
    ) -> None:
        """The end is committed, or was refused. Called by the clerk."""
        if not written:
            self.life.let_go(job)
            log.aside(log.fenced, self.life.task, job)
        elif due is not None and error is not None:
            self.life.let_go(job, retried=True)
            self.times.retried(now)
            log.aside(log.retrying, self.life.task, job, job.attempt, error, due - now)
            self.records.due_again(job, due)
        else:
            self.life.settle(job, value, error, now)
            if error is None:
                self.times.succeeded(job, now)
            else:
                self.times.failed(job, now, ran=True)
            if error is not None or self.tells_success:
                self.announcer.announce_end(job, exception)
            self.records.wake(job.id)

    def encoded(self, result: object) -> str:
        """A result in JSON. TypeError, ValueError where it can't be kept."""
        if result is None:
            return "null"
        try:
            text = _encode(result)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise TypeError(
                f"The handler's result can't be kept as JSON ({error}). "
                "Return texts, numbers, dates, and lists and dicts of these."
            ) from None
        if len(text) > self.records.most_result:
            raise ValueError(
                f"The handler's result is {len(text):,} bytes of JSON; MAX_RESULT allows "
                f"{self.records.most_result:,}. Store it, and return where."
            )
        return text
