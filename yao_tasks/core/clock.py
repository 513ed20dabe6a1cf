"""The one thread of a process that notices deadlines, retries that are due, and events that are slow.

A pool's timeout is one number, so its runs fall due in the order in which they started. While a pool is
watched, the clock sleeps until the earliest of them at most, and a run that starts meanwhile falls due later
than that: only the start that ends a pool's idleness has to wake it. Idle is a pool in which nothing has run
between two looks. The clock runs no foreign code.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from yao_tasks.core.log import logger


class Watched(Protocol):
    """What the clock looks after: a pool."""

    watched: bool
    """Set by the clock: whether it looks after the pool just now."""

    def look(self, now: float) -> float | None:
        """End what is overdue. Answers when to look again (monotonic seconds), None where nothing has run of late."""


Due = tuple[float, int, Callable[[], None]]
_STOP: Final = "stop"


class Clock:
    """Sleeps until something is due. Any thread may call `watch` and `at`; they start the thread at need."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, *, busy: Callable[[], None] = lambda: None
    ) -> None:
        self.monotonic = monotonic
        # Called whenever a pool begins to be watched: something runs.
        self.busy = busy
        self._inbox: SimpleQueue[Watched | Due | str] = SimpleQueue()
        self._numbers = itertools.count()
        # Guards the start of the thread. Reentrant: a finalizer that adds a job may come while it is made.
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None
        # From here on only the clock's own thread reads and writes.
        self._due: list[Due] = []
        self._pools: dict[Watched, float] = {}

    def start(self) -> None:
        """Start the thread, once. RuntimeError where the process is about to end and starts no more threads."""
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="yao_tasks-clock", daemon=True)
            if self._thread is not None:
                return
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:
                self._thread = None
                raise

    def stop(self) -> None:
        """End the thread for good, and wait for it."""
        with self._starting:
            if self._thread is not None:
                self._inbox.put(_STOP)
                self._thread.join()

    def watch(self, pool: Watched) -> None:
        """Look after a pool in which something runs, until nothing does."""
        pool.watched = True
        self._inbox.put(pool)

    @property
    def is_watching(self) -> bool:
        """Whether it looks after a pool: a run may start there without its being told."""
        return bool(self._pools)

    def at(self, due: float, call: Callable[[], None]) -> None:
        """Call `call` (own code, quick) in the clock's thread at `due`, in monotonic seconds."""
        self._inbox.put((due, next(self._numbers), call))

    def _run(self) -> None:
        while (news := self._sleep()) != _STOP:
            try:
                self._turn(news)
            except Exception:  # noqa: BLE001 - a clock that stops would stop every deadline
                logger.exception("The clock of yao_tasks met an error of its own; please report it.")

    def _sleep(self) -> Watched | Due | str | None:
        moments = [*self._pools.values(), *(entry[0] for entry in self._due[:1])]
        # Nothing to wait for: sleep until somebody calls. A process in which nothing runs makes no wake-ups.
        seconds = max(0.0, min(moments) - self.monotonic()) if moments else None
        try:
            # threading.TIMEOUT_MAX bounds what a lock can wait for.
            return self._inbox.get(
                timeout=seconds if seconds is None else min(seconds, threading.TIMEOUT_MAX)
            )
        except Empty:
            return None

    def _turn(self, news: Watched | Due | str | None) -> None:
        now = self.monotonic()
        if isinstance(news, tuple):
            heapq.heappush(self._due, news)
        elif news is not None and not isinstance(news, str):
            self._pools[news] = now
            self.busy()
        for pool in [pool for pool, at in self._pools.items() if at <= now]:
            self._look(pool, now)
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def _look(self, pool: Watched, now: float) -> None:
        # False first, then the look: whoever starts a run in between either is seen by it or sees False.
        pool.watched = False
        again = pool.look(now)
        if again is None:
            del self._pools[pool]
        else:
            pool.watched = True
            self._pools[pool] = again
