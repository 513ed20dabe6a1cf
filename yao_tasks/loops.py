"""The event loop that a process has for all its pools of coroutines, from its first need to its end."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from yao_tasks import conf, sensitive
from yao_tasks.core.log import logger

if TYPE_CHECKING:
    from yao_tasks.core.workers.lag import LoopLag, Running
    from yao_tasks.core.workers.loop import Loop

# What the loop is given to come to its end, once all pools are closed (s).
SECONDS = 0.5


class LoopOfProcess:
    """Makes the loop when it is first asked for. `running` answers the runs that are coroutines just now."""

    def __init__(self, running: "Callable[[], list[Running]]") -> None:
        self.running = running
        self._loop: Loop | None = None
        self._lag: LoopLag | None = None
        # Guards the making of the loop. Reentrant: a finalizer that adds a job may come meanwhile.
        self._making = threading.RLock()

    def loop(self) -> "Loop":
        """The loop; it starts its thread when a pool first needs it."""
        # Here, not above: it imports asyncio, which costs each start of a process 20 ms.
        from yao_tasks.core.workers.lag import LoopLag
        from yao_tasks.core.workers.loop import Loop

        with self._making:
            if self._loop is None:
                threads = conf.current().async_threads
                loop = Loop(threads=threads, context_with=sensitive.context_with)
                lag = LoopLag(loop, self.running)
                # Two stores, and no call before them.
                if self._loop is None:
                    self._loop, self._lag = loop, lag
            return self._loop

    def look(self) -> None:
        """See whether a handler blocks it."""
        if self._lag is not None:
            self._lag.look()

    def left(self, deadline: float) -> list[str]:
        """Wait for the threads that coroutines use, until then (monotonic seconds); names those that go on."""
        return [] if self._loop is None else self._loop.left(deadline)

    def close(self) -> None:
        """End the loop, if there is one: once the pools are closed."""
        if self._loop is not None and not self._loop.close(SECONDS):
            logger.error(
                "The event loop is blocked by a handler, and can't be closed: its thread goes on. There it is:\n%s",
                self._loop.stack(),
                extra={"task": None, "job": None, "attempt": None},
            )
