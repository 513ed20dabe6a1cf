"""Threads of one pool of coroutines for what may block: plain events, and log lines, which are foreign code, too."""

import itertools
import threading
from collections.abc import Callable
from queue import SimpleQueue

from yao_tasks.core.log import logger

# An event is short, or waits; a pool with more slow ones at once than this has them wait for each other.
MOST = 8

Call = Callable[[], object]


class Helpers:
    """Start as there is something to call, and stay until the end. Any thread may call any method."""

    def __init__(self, task: str, tidy: Callable[[str], None]) -> None:
        self.task = task
        self.tidy = tidy
        self.threads: dict[str, threading.Thread] = {}
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._numbers = itertools.count(1)
        # Calls that wait, or are under way.
        self._open = 0
        self._given_up: set[int] = set()
        self._leaving = False
        # Guards these, and the start of a thread. Reentrant: a finalizer may come, and have something called.
        self._guard = threading.RLock()

    def put(self, call: Call) -> None:
        """Have it called; what it raises is logged."""
        with self._guard:
            self._open += 1
            self._calls.put(call)
            there = self._staff()
            if self._leaving:
                # Whoever takes it ends after it.
                self._calls.put(None)
        if not there:
            # The process is about to end, and starts no more threads.
            while not self._calls.empty() and (call_here := self._calls.get()) is not None:
                _called(call_here, self.task)

    def has(self, ident: int) -> bool:
        """Whether a thread is one of these."""
        return any(thread.ident == ident for thread in list(self.threads.values()))

    def give_up(self, ident: int) -> None:
        """A thread hangs: another may take its place, and it ends when it comes back."""
        with self._guard:
            self._given_up.add(ident)
            if not self._calls.empty():
                self._staff()

    def leave(self, deadline: float, monotonic: Callable[[], float]) -> None:
        """End them, each after what it has to call, and wait until the deadline; not for those that were given up."""
        with self._guard:
            self._leaving = True
            threads = list(self.threads.values())
        for _ in threads:
            self._calls.put(None)
        for thread in threads:
            # An event that closes its own pool ends after that.
            if thread is not threading.current_thread() and thread.ident not in self._given_up:
                thread.join(max(0.0, deadline - monotonic()))

    def _work(self, name: str) -> None:
        mine = threading.get_ident()
        try:
            while mine not in self._given_up and (call := self._calls.get()) is not None:
                _called(call, self.task)
                # It keeps nothing alive while it waits for the next.
                del call
                self.tidy(self.task)
                with self._guard:
                    self._open -= 1
        finally:
            with self._guard:
                self._given_up.discard(mine)
                del self.threads[name]

    def _staff(self) -> bool:
        """Start a thread if there is too much to do for those that there are. Whether there is any."""
        there = len(self.threads) - len(self._given_up)
        if self._open <= there or there >= MOST:
            return True
        name = f"{self.task}-helper-{next(self._numbers)}"
        thread = threading.Thread(target=self._work, args=(name,), name=f"yao_tasks-{name}", daemon=True)
        self.threads[name] = thread
        try:
            thread.start()
        except RuntimeError:
            del self.threads[name]
            return there > 0
        return True


def _called(call: Call, task: str) -> None:
    try:
        call()
    except BaseException:  # noqa: BLE001 - it must cost no thread
        logger.exception("%s: what a helper was to do failed; please report it.", task)
