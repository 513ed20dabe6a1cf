"""What the clock looks at in one pool: runs whose deadline has passed, and events that don't come back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from yao_tasks.core import log
from yao_tasks.core.clock import Clock
from yao_tasks.core.failures import ended_by
from yao_tasks.core.jobs import Job, JobError
from yao_tasks.core.lifecycle import Lifecycle

# An event that takes longer is named in the log.
SLOW_SECONDS = 5.0


class Watch:
    """A pool as the clock sees it. `look` is called by the clock alone."""

    def __init__(
        self, life: Lifecycle, clock: Clock, *, timeout: float, cut: Callable[[Job, int, JobError], object]
    ) -> None:
        self.life = life
        self.clock = clock
        self.timeout = timeout
        self.cut = cut
        self.watched = False
        # What is being called just now: key -> (event, job, since).
        self.calling: dict[int, tuple[str, Job, float]] = {}
        self._named: set[int] = set()

    def attend(self) -> None:
        """Something runs: have the clock look after the pool. Costs one read while it does."""
        if not self.watched:
            self.clock.watch(self)

    @contextmanager
    def calls(self, event: str, job: Job) -> Iterator[None]:
        """Around the call of an event, in the thread that calls it."""
        call = (event, job, self.clock.monotonic())
        self.calling[id(call)] = call
        self.attend()
        try:
            yield
        finally:
            del self.calling[id(call)]
            # The next call's key may be the same.
            self._named.discard(id(call))

    def look(self, now: float) -> float | None:
        """End what is overdue, name what is slow. Answers when to look again, None while nothing runs."""
        moments = [self._deadline(job, now) for job in list(self.life.running.values())]
        moments += [self._slow(key, now) for key in list(self.calling)]
        if not moments:
            self._named.clear()
            return None
        # A run that starts from now on is due later than this, and an event slow.
        return min(now + self.timeout, now + SLOW_SECONDS, *moments)

    def _deadline(self, job: Job, now: float) -> float:
        attempt, started = job.attempt, job.started
        due = (now if started is None else started) + self.timeout
        if due <= now:
            self.cut(job, attempt, ended_by("timeout", self._timeout_text()))
            return now + self.timeout
        return due

    def _timeout_text(self) -> str:
        return (
            f"The run took longer than {self.timeout:g} s. It isn't tried again: a thread can't be stopped, "
            "and this one may still be doing its work."
        )

    def _slow(self, key: int, now: float) -> float:
        call = self.calling.get(key)
        if call is None:
            return now + self.timeout
        event, job, since = call
        if now < since + SLOW_SECONDS:
            return since + SLOW_SECONDS
        if key in self._named:
            return now + SLOW_SECONDS
        self._named.add(key)
        # Log handlers are foreign code, and may be what hangs: a thread of its own for this rare line.
        line = threading.Thread(
            target=log.event_slow,
            args=(self.life.task, job, event, now - since),
            name="yao_tasks-slow-event",
            daemon=True,
        )
        try:
            line.start()
        except RuntimeError:  # the process is about to end
            pass
        return now + SLOW_SECONDS

    def slow_events(self) -> list[tuple[str, Job, float]]:
        """Events that have been running for too long: name, job, seconds. For those who watch."""
        now = self.clock.monotonic()
        calls = [(event, job, now - since) for event, job, since in list(self.calling.values())]
        return [call for call in calls if call[2] >= SLOW_SECONDS]
