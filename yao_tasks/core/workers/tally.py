"""What a worker has done since it began."""

import time


class Tally:
    """Counted by the worker alone, in its own thread; read by anybody."""

    __slots__ = ("done", "since")

    def __init__(self) -> None:
        # Seconds since 1970.
        self.since = time.time()
        self.done = 0
