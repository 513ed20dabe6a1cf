"""The event loop of a process, in a thread of its own: all coroutines of all pools run there.

It starts when it is first needed, ends when the pools of the process are closed, and a fork gets another.
"""

import asyncio
import sys
import threading
import time
from asyncio import events
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context
from typing import Any

from yao_tasks.core import stacks
from yao_tasks.core.log import logger
from yao_tasks.core.workers.lent import LentThreads

# What a coroutine that is cancelled because its loop ends has to clean up in (s).
LAST_WORDS = 0.5

# There a process that ends starts no thread any more, though handlers may still run (cpython#113964).
NO_LATE_THREADS = (3, 12, 0) <= sys.version_info < (3, 12, 3)

# A forked child must never throw its parent's loop away: to close one takes it apart for both of them.
_alive: list[events.AbstractEventLoop] = []


class _EventLoop(asyncio.SelectorEventLoop):
    """One whose default executor has daemon threads: Python waits without end for those of its own."""

    def __init__(self, others: Executor) -> None:
        super().__init__()
        self._others = others

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """As asyncio's own."""
        return super().run_in_executor(executor or self._others, func, *args)


class Loop:
    """Any thread may call any method, but for `close` none blocks.

    `threads`: so many are lent to runs at once, for what they can't do themselves, and as many to calls that belong
    to no thread (`asyncio.to_thread`, the look-up of names). A run that holds one of the former may wait for one of
    the latter, so they are not the same. `context_with`: what each run's context begins with.
    """

    def __init__(self, *, threads: int, context_with: Callable[[Executor], Context]) -> None:
        self.lent = LentThreads("async", threads, keeping=True)
        self.others = LentThreads("async-call", threads, keeping=False)
        self.base = context_with(self.lent)
        self.events: events.AbstractEventLoop | None = None
        self.ident: int | None = None
        """Of its thread."""
        self._stopping = False
        # Guards the start and the end. Reentrant: a finalizer that adds a job may come while the loop is made.
        self._guard = threading.RLock()
        self._thread: threading.Thread | None = None

    def start(self) -> events.AbstractEventLoop:
        """Start the thread, once, and answer its loop. RuntimeError where the process starts no more threads."""
        if self.events is not None:
            return self.events
        with self._guard:
            if self._stopping:
                raise RuntimeError("its event loop has been closed")
            if self.events is None:
                loop = _EventLoop(self.others)
                thread = threading.Thread(
                    target=self._run, args=(loop,), name="yao_tasks-event-loop", daemon=True
                )
                if self.events is not None:
                    loop.close()
                    return self.events
                try:
                    thread.start()
                except RuntimeError:
                    loop.close()
                    raise
                self._thread, self.ident = thread, thread.ident
                if NO_LATE_THREADS:
                    self.lent.warm()
                    self.others.warm()
                self.events = loop
            return self.events

    @property
    def is_here(self) -> bool:
        """Whether the calling thread is the loop's."""
        return self.ident == threading.get_ident()

    @property
    def is_running_here(self) -> bool:
        """Whether the loop runs the calling code. Else that is a coroutine's which is thrown away long after the loop.

        Whoever collects garbage does that, in any thread, under any lock: nothing may be told, or started, there.
        """
        return asyncio._get_running_loop() is self.events

    def call(self, function: Callable[..., object], *args: Any) -> bool:
        """Have the function called in the loop's thread, soon. False where there is no loop (any more)."""
        loop = self.events
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # it is closed
            return False
        return True

    def close(self, seconds: float) -> bool:
        """End the thread for good, and wait for it. What still runs is cancelled. False if it doesn't come back."""
        with self._guard:
            self._stopping = True
            loop, thread = self.events, self._thread
        if loop is not None and thread is not None and thread is not threading.current_thread():
            self.call(loop.stop)
            thread.join(seconds + LAST_WORDS)
        for threads in (self.lent, self.others):
            threads.stop()
        return thread is None or not thread.is_alive()

    def left(self, deadline: float) -> list[str]:
        """Wait for the threads that were lent until then (monotonic seconds); answers the names of those that go on."""
        threads = [*self.lent.all(), *self.others.all()]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in threads if thread.is_alive()]

    def stack(self) -> str:
        """Where the thread is just now, as text."""
        ident = self.ident or 0
        return stacks.of_threads({ident}).get(ident, "")

    def _run(self, loop: events.AbstractEventLoop) -> None:
        _alive.append(loop)
        try:
            while not self._stopping:
                try:
                    loop.run_forever()
                except BaseException:  # noqa: BLE001 - a SystemExit in a task of a handler's own
                    logger.exception("A task in the event loop of yao_tasks raised what ends a program.")
            self._cancel_all(loop)
        finally:
            loop.close()
            _alive.remove(loop)

    def _cancel_all(self, loop: events.AbstractEventLoop) -> None:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            # Whoever runs it has ended its job already; what swallows this is thrown away in silence.
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            task.cancel()
        try:
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=LAST_WORDS))
            loop.run_until_complete(loop.shutdown_asyncgens())
        except BaseException:  # noqa: BLE001 - a SystemExit in a task of a handler's own
            logger.exception("A task in the event loop of yao_tasks raised what ends a program.")
