"""A process that works until it is told to leave: what `manage.py runtasks` is.

The first SIGTERM, SIGINT or SIGHUP drains: running jobs are told, what waits runs while there is time. The
second leaves one second, the third, or SIGQUIT, none.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from yao_tasks import boot

DRAINS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# What the second signal leaves (s).
SHORTENED = 1.0
# The exit code of a process that was forced to leave, as shells have it after Ctrl-C.
FORCED = 130


class Foreground:
    """Waits in the main thread for a signal, then drains. `say` shows a line to a person."""

    def __init__(self, drain_timeout: float, say: Callable[[str], object]) -> None:
        self.drain_timeout = drain_timeout
        self.say = say
        self.deadline: float | None = None
        self._told = threading.Event()

    def listen(self) -> None:
        """Take the signals; from now on they no longer end the process. In the main thread."""
        # Set even where the shell had them ignored, as it does with SIGINT for background jobs.
        for number in DRAINS:
            signal.signal(number, self._leave)
        signal.signal(signal.SIGQUIT, self._force)

    def run(self) -> int:
        """Work until told to leave. Answers the exit code: 0, or 1 where a job was lost or cut short."""
        self._told.wait()
        return self._drain()

    def _drain(self) -> int:
        house = boot.house()
        self.say(f"Draining: {house.live()} jobs have {self.drain_timeout:g} s to end.")
        house.refuse()
        # In short steps: the next signal moves the deadline.
        while house.live() and (left := self._left()) > 0:
            house.settle_down(min(left, 0.1))
        lost = house.close(max(0.0, self._left()))
        self.say(f"{len(lost)} jobs were cut short; the log names them." if lost else "All jobs have ended.")
        return 1 if lost else 0

    def _left(self) -> float:
        assert self.deadline is not None
        return self.deadline - time.monotonic()

    def _leave(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.deadline is None:
            self.deadline = now + self.drain_timeout
        elif not self._shortened:
            self._shortened = True
            self.deadline = min(self.deadline, now + SHORTENED)
        else:
            self._force(number, frame)
        self._told.set()

    _shortened = False

    def _force(self, number: int, frame: FrameType | None) -> None:
        os._exit(FORCED)
