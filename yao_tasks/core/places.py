"""Places in a full queue, for those who wait for one (`"overflow": "wait"`)."""

import threading
from collections import deque
from collections.abc import Callable

# A place may also come free in a way that nobody tells of, as by a resize (s).
LOOK = 0.05


class Places:
    """Those who wait for a place, first in first out. Costs one read while nobody waits."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self.waiting: deque[threading.Event] = deque()

    def free(self) -> None:
        """A place has come free: wake who waits longest."""
        try:
            self.waiting[0].set()
        except IndexError:
            pass

    def wait(self, attempt: Callable[[], bool], seconds: float) -> bool:
        """Call `attempt` whenever there may be a place, until it says that it got one. False after `seconds`."""
        until = self.monotonic() + seconds
        turn = threading.Event()
        self.waiting.append(turn)
        try:
            while (left := until - self.monotonic()) > 0:
                turn.wait(min(left, LOOK))
                turn.clear()
                # Whoever is behind is woken by the one before it, who leaves with or without a place.
                if self.waiting[0] is turn and attempt():
                    return True
            return False
        finally:
            self.waiting.remove(turn)
            # A wake-up that was meant for one who had just left.
            self.free()
