"""Tells a pool's events what happened: after the change, under no lock, and whatever they do, nothing changes.

Ends that a worker made are told in its thread. Those that nobody made (deadline, cancel, loss) are told by a
thread of the pool's own, started when first needed: a cancel comes from a request, perhaps in a transaction,
and the clock must never wait for foreign code.
"""

import math
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from yao_tasks.core import log
from yao_tasks.core.current import fresh
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.failures import exception_for
from yao_tasks.core.faults import shown
from yao_tasks.core.jobs import Job, Progress
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.watch import Watch

# A message is a line beside a progress bar.
MESSAGE_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The callables that a definition names under `event`, imported; None where it names none."""

    add: Callable[..., Any] | None = None
    success: Callable[..., Any] | None = None
    error: Callable[..., Any] | None = None
    progress: Callable[..., Any] | None = None


class Announcer:
    """A pool's events. Any thread may call any method; events run in the caller's, but for `announce`."""

    def __init__(self, life: Lifecycle, watch: Watch, events: Events, *, tidy: Callable[[str], None]) -> None:
        self.life = life
        self.watch = watch
        self.events = events
        self.timeout = watch.timeout
        self.tidy = tidy
        self.failed_events = 0
        # Where a job goes that was tried again before its failure was told.
        self.offer: Callable[[Job], None] = lambda _: None
        # How a report is told: here and now, but in the thread of an event loop.
        self.pass_on: Callable[[Job, Progress], None] = self.progressed
        self._ends: SimpleQueue[Job | None] = SimpleQueue()
        # Guards the start and the stop of the thread, and the count of failed events. Reentrant, since a
        # finalizer may come back for it while a thread is made.
        self._guard = threading.RLock()
        self._thread: threading.Thread | None = None
        self._finished = False

    def added(self, job: Job) -> None:
        """Tell `event.add`."""
        if self.events.add is not None:
            self._call("add", self.events.add, job)

    def succeeded(self, job: Job) -> None:
        """Tell `event.success`."""
        if self.events.success is not None:
            self._call("success", self.events.success, job, job.result)

    def failed(self, job: Job, exception: BaseException) -> None:
        """Write the log's line, and tell `event.error`."""
        log.ended(self.life.task, job, exception)
        if self.events.error is not None:
            self._call("error", self.events.error, job, exception)
        self.let_follow(job)

    def let_follow(self, job: Job) -> None:
        """The end of a failed job has been told: the one in which it is tried again may start."""
        heir = self.life.told(job)
        if heir is not None:
            self.offer(heir)

    def report(self, job: Job, attempt: int | None, current: float, total: float, message: str) -> None:
        """Store a job's progress and tell `event.progress`, as `CurrentJob.progress` says."""
        progress = checked(current, total, message)
        if not self.life.report(job, attempt, progress):
            raise JobNotFound(f'Job {job.id} of "{self.life.task}" has ended: its progress stays as it was.')
        if job.row is not None:
            job.row.touch(job)
        if self.events.progress is not None:
            self.pass_on(job, progress)

    def finishing(self, job: Job, attempt: int, result: object) -> AbstractContextManager[None]:
        """Let a run write its job's end itself, as `CurrentJob.finishing` says."""
        raise RuntimeError(
            f'"{self.life.task}" is not durable: its jobs have no end that could be committed.'
        )

    def progressed(self, job: Job, progress: Progress) -> None:
        """Tell `event.progress`."""
        if self.events.progress is not None:
            self._call("progress", self.events.progress, job, *progress)

    def announce(self, job: Job) -> None:
        """Have an end that no worker made told by the pool's own thread."""
        self._ends.put(job)
        self._start()

    def give_up(self, thread: int) -> None:
        """Leave the announcer's thread to itself, if that is `thread` (its ident): another takes its place."""
        with self._guard:
            if self._thread is None or self._thread.ident != thread:
                return
            self._thread = None
        if not self._ends.empty():
            self._start()

    def _start(self) -> None:
        with self._guard:
            if self._thread is not None:
                return
            thread = threading.Thread(
                target=self._run, name=f"yao_tasks-{self.life.task}-announcer", daemon=True
            )
            # New objects can start a garbage collection, and with it a finalizer that came here meanwhile.
            if self._thread is not None:
                return
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:  # the process is about to end: who closes the pool calls `finish`
                self._thread = None

    def finish(self, seconds: float) -> bool:
        """Tell what is left and end the thread; False if that took longer. For the one who closes the pool."""
        with self._guard:
            self._finished = True
            thread = self._thread
        if thread is None:
            self._tell_rest()
            return True
        self._ends.put(None)
        if thread is threading.current_thread():
            return True  # an event of its own closes the pool: it tells what is left after that
        thread.join(max(0.0, seconds))
        return not thread.is_alive()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self.tell(job)
            self.tidy(self.life.task)
            # Keep nothing alive while waiting for the next.
            job = None

    def _next(self) -> Job | None:
        """The next end to tell. None for a thread that was given up, or once the pool is closed and all are told."""
        if self._thread is not threading.current_thread():
            return None
        job = None if self._finished else self._ends.get()
        while job is None:
            with self._guard:
                try:
                    job = self._ends.get_nowait()
                except Empty:
                    self._thread = None
                    return None
        return job

    def _tell_rest(self) -> None:
        while True:
            try:
                job = self._ends.get_nowait()
            except Empty:
                return
            if job is not None:
                self.tell(job)

    def tell(self, job: Job) -> None:
        """Tell an end that no worker made, in the calling thread."""
        error = job.error
        assert error is not None
        self.failed(job, exception_for(error))

    def _call(self, event: str, handler: Callable[..., Any], job: Job, *args: Any) -> None:
        with self.watch.calls(event, job):
            try:
                fresh((job, job.attempt, self)).run(handler, job.id, *args)
            except BaseException as exception:  # noqa: BLE001 - a SystemExit in an event must cost no worker
                self.event_failed(event, job, exception)

    def event_failed(self, event: str, job: Job, exception: BaseException) -> None:
        """An event raised: count it, and write it down."""
        with self._guard:
            self.failed_events += 1
        log.event_failed(self.life.task, job, event, exception)


def checked(current: float, total: float, message: str) -> Progress:
    """A progress report as it is kept. TypeError, ValueError where `current` or `total` is no number to draw."""
    for name, value in (("current", current), ("total", total)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"Progress: {name} is {value!r}. Give a number.")
        if not _is_finite(value):
            raise ValueError(f"Progress: {name} is {shown(value)}. Give a finite number.")
    # Plain values: what is stored under the pool's lock must have no code of its own. A slice is a plain str.
    return (_plain(current), _plain(total), str.__getitem__(str(message), slice(MESSAGE_LIMIT)))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _plain(value: float) -> float:
    return int(value) if isinstance(value, int) else float(value)
