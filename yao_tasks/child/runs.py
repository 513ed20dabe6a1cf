"""One run in a child: call the handler in a fresh context, and put how that ended into a frame."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from yao_tasks import connections, handlers, surroundings
from yao_tasks.core.announcer import checked
from yao_tasks.core.children.frames import ROOM, encoded, with_length
from yao_tasks.core.children.link import Link
from yao_tasks.core.current import fresh
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.failures import describe
from yao_tasks.core.faults import printable
from yao_tasks.core.jobs import RUNNING, Job
from yao_tasks.core.retries import RetryPolicy

_NOTHING = encoded(["ok", None])
_encoder = DjangoJSONEncoder(allow_nan=False, separators=(",", ":"))


class RunningJob(Job):
    """A job as its child sees it: it runs, until it is killed."""

    status = RUNNING


class Reporter:
    """The way of a run's reports. Stands for its pool, too, as far as a handler sees of one."""

    def __init__(self, link: Link, task: str, timeout: float) -> None:
        self.link = link
        self.task = task
        self.timeout = timeout
        self.life = self

    @staticmethod
    def tidy(task: str) -> None:
        """Nothing: the run is tidied up after by who called it."""

    @property
    def closing(self) -> bool:
        """Whether the pool is being closed."""
        return self.link.is_closing

    def finishing(self, job: Job, attempt: int, result: object) -> AbstractContextManager[None]:
        """The end is the parent's to write."""
        raise RuntimeError(
            f'"{self.life.task}" runs in a process of its own, and finishing() is for handlers in threads.'
        )

    def report(self, job: Job, attempt: int | None, current: float, total: float, message: str) -> None:
        """Send a run's progress. JobNotFound once it is over."""
        progress = checked(current, total, message)
        if self.link.run != (job.id, attempt):
            raise JobNotFound(f'Job {job.id} of "{self.task}" has ended: its progress stays as it was.')
        self.link.tell(["progress", *progress])


class Runs:
    """The runs of one task, one after the other, in the main thread."""

    def __init__(self, link: Link, setup: dict[str, Any]) -> None:
        self.link = link
        self.setup = setup
        self.task: str = setup["task"]
        self.call: Callable[..., Any] | None = None
        self.policy = RetryPolicy(attempts=0, after=0.0)
        try:
            self._import()
        except Exception:  # noqa: BLE001, S110 - told by the job that needs it
            pass

    def run(
        self,
        job_id: int,
        attempt: int,
        args: list[Any],
        kwargs: dict[str, Any],
        added: float,
        added_at: float,
        started: float,
        timeout: float,
        closing: bool,
        carried: dict[str, Any] | None,
    ) -> bytes:
        """Run a job; answers the frame that tells how that ended. Never raises, whatever the handler does."""
        job = RunningJob(job_id, tuple(args), kwargs, added, added_at)
        job.attempt, job.started = attempt, started
        self.link.begin((job_id, attempt), closing=closing)
        context = fresh((job, attempt, Reporter(self.link, self.task, timeout)))
        try:
            if self.call is None:
                self._import()
            if carried:
                context.run(surroundings.restore, carried)
            assert self.call is not None
            result = context.run(self.call, job_id, *args, **kwargs)
            outcome = _NOTHING if result is None else self._returned(result)
        except BaseException as exception:  # noqa: BLE001 - SystemExit and its like fail their job only
            outcome = self._raised(exception)
        finally:
            connections.tidy(self.task)
            self.link.tell_dropped()
            self.link.run = None
        return outcome

    def _import(self) -> None:
        setup = self.setup
        around = tuple(handlers.resolve(name) for name in setup["around"])
        self.policy = RetryPolicy(
            attempts=0,
            after=0.0,
            retry_on=tuple(handlers.exception(name) for name in setup["retry_on"]) or None,
            give_up_on=tuple(handlers.exception(name) for name in setup["give_up_on"]),
        )
        self.call = surroundings.surrounded(handlers.resolve(setup["process"]), around)

    def _returned(self, result: Any) -> bytes:
        most = self.setup["max_result"]
        try:
            text = _encoder.encode(result)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise TypeError(
                f"The handler's result can't be passed on as JSON ({printable(error)}). "
                "Return texts, numbers, dates, and lists and dicts of these."
            ) from None
        if len(text) > most:
            raise ValueError(
                f"The handler's result is {len(text):,} bytes of JSON; MAX_RESULT allows {most:,}. "
                "Store it, and return where."
            )
        return with_length(b'["ok",' + text.encode() + b"]")

    def _raised(self, exception: BaseException) -> bytes:
        verdict = self.policy.judge(exception)
        told = describe(exception)
        trace = told.traceback
        while True:
            again = [verdict.again, verdict.after, verdict.asked]
            data = encoded(["failed", told.type, told.message, trace, again])
            # Less than half of it is left, where each character takes more than one byte.
            if len(data) < ROOM:
                return data
            trace = trace[len(trace) // 2 + 1 :]
