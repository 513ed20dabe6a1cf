"""What the clock looks at in one pool: runs whose deadline has passed, and events that don't come back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from yao_tasks.core import log
from yao_tasks.core.clock import Clock
from yao_tasks.core.jobs import Job
from yao_tasks.core.lifecycle import Lifecycle

# An event that takes longer is named in the log.
SLOW_SECONDS = 5.0


# And past the task's timeout, or this, its thread is given up.
HUNG_SECONDS = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An event that is being called just now."""

    event: str
    job: Job
    since: float
    thread: int
    give_up: Callable[[], object] | None
    """How to let go of one that can be stopped; None: only its thread can be let go."""


class Watch:
    """A pool as the clock sees it. `look` is called by the clock alone."""

    def __init__(
        self,
        life: Lifecycle,
        clock: Clock,
        *,
        timeout: float,
        overdue: Callable[[Job, int, float], object],
        hung: Callable[[Call], bool],
        back: Callable[[], None],
    ) -> None:
        """`hung` gives up the thread of an event, and answers whether `back` is to be called when it returns."""
        self.life = life
        self.clock = clock
        self.timeout = timeout
        self.overdue = overdue
        self.hung = hung
        self.back = back
        self.watched = False
        self.calling: dict[int, Call] = {}
        # What had been started at the last look, runs and events.
        self._seen = (0, 0)
        self._calls = 0
        self._named: set[int] = set()
        self._given_up: set[int] = set()
        # Guards the end of a call against being given up at the same moment. Reentrant: a finalizer may add a job.
        self._guard = threading.RLock()

    def attend(self) -> None:
        """Something runs: have the clock look after the pool. Costs one read while it does."""
        if not self.watched:
            self.clock.watch(self)

    @contextmanager
    def calls(self, event: str, job: Job, give_up: Callable[[], object] | None = None) -> Iterator[None]:
        """Around the call of an event, in the thread that calls it."""
        call = Call(event, job, self.clock.monotonic(), threading.get_ident(), give_up)
        self.calling[id(call)] = call
        self._calls += 1
        self.attend()
        try:
            yield
        finally:
            with self._guard:
                del self.calling[id(call)]
                given_up = id(call) in self._given_up
                # The next call's key may be the same.
                self._given_up.discard(id(call))
                self._named.discard(id(call))
            if given_up:
                self.back()

    def look(self, now: float) -> float | None:
        """End what is overdue, name what is slow. Answers when to look again, None once nothing has run for a while.

        Not as soon as nothing runs: a pool with a short job now and then would wake the clock for each of them.
        """
        moments = [self._deadline(job, now) for job in list(self.life.running.values())]
        moments += [self._slow(key, now) for key in list(self.calling)]
        seen, self._seen = self._seen, (self.life.started, self._calls)
        if not moments:
            self._named.clear()
            if seen == self._seen:
                return None
        # A run that starts from now on is due later than this, and an event slow. Runs with a timeout of
        # their own tell the clock themselves.
        return min(now + self.timeout, now + SLOW_SECONDS, *moments)

    def _deadline(self, job: Job, now: float) -> float:
        attempt, started = job.attempt, job.started
        timeout = timeout_of(job, self.timeout)
        due = (now if started is None else started) + timeout
        if due <= now:
            self.overdue(job, attempt, timeout)
            return now + self.timeout
        return due

    def _slow(self, key: int, now: float) -> float:
        call = self.calling.get(key)
        if call is None:
            return now + self.timeout
        if now < call.since + SLOW_SECONDS:
            return call.since + SLOW_SECONDS
        if key not in self._named:
            self._named.add(key)
            log.aside(log.event_slow, self.life.task, call.job, call.event, now - call.since)
        hung_at = call.since + max(SLOW_SECONDS, min(self.timeout, HUNG_SECONDS))
        if now < hung_at:
            return hung_at
        with self._guard:
            if key in self.calling and key not in self._given_up and self.hung(call):
                self._given_up.add(key)
        return now + SLOW_SECONDS

    def slow_events(self) -> list[Call]:
        """Events that have been running for too long, for those who watch."""
        now = self.clock.monotonic()
        return [call for call in list(self.calling.values()) if now - call.since >= SLOW_SECONDS]


def timeout_of(job: Job, default: float) -> float:
    """Seconds that one run of the job may take."""
    terms = job.terms
    return default if terms is None or terms.timeout is None else terms.timeout
