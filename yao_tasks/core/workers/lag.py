"""A watch over the event loop: whether a handler blocks it, and with it all the other coroutines."""

import asyncio
import time
from collections.abc import Callable

from yao_tasks.core import log
from yao_tasks.core.workers.loop import Loop

# How often the loop is asked to answer, and how late an answer tells a person anything (s).
PERIOD = 0.25
LATE = 1.0
# So many looks in a row: a process that was stopped for a minute has blocked nothing.
LOOKS = 5
# One warning in so long (s).
QUIET = 60.0

Running = tuple[str, int, int, "asyncio.Task[None] | None"]
"""A run: its task's id, its job's, its number, and what runs it; None while it hasn't waited for anything yet."""


class LoopLag:
    """`look` is called by the process's one thread of watching, while something runs; `runs` answers what does."""

    def __init__(self, loop: Loop, runs: Callable[[], list[Running]]) -> None:
        self.loop = loop
        self.runs = runs
        self._asked: float | None = None
        self._heard = 0.0
        self._looks = 0
        self._warned_at: float | None = None

    def look(self) -> None:
        """Ask the loop for an answer now and then, and say so where none comes."""
        now, asked = time.monotonic(), self._asked
        if asked is None:
            if now - self._heard >= PERIOD:
                self._looks, self._asked = 0, now
                if not self.loop.call(self._answer):
                    self._asked = None
            return
        self._looks += 1
        if now - asked >= LATE and self._looks >= LOOKS:
            self._warn(now, now - asked)

    def _answer(self) -> None:
        self._heard, self._asked = time.monotonic(), None

    def _warn(self, now: float, seconds: float) -> None:
        if self._warned_at is not None and now - self._warned_at < QUIET:
            return
        self._warned_at = now
        runs, current = self.runs(), self._current()
        # A task that a handler made is none of ours: then all that run are named.
        blocking = [run for run in runs if run[3] is None or run[3] is current] or runs
        log.aside(log.loop_blocked, [run[:3] for run in blocking], seconds, self.loop.stack())

    def _current(self) -> "asyncio.Task[None] | None":
        try:
            return asyncio.current_task(self.loop.events)
        except RuntimeError:
            return None
