"""How soon a child that died may be followed by another: at once, until too many died. Pure decisions."""

from collections import deque

# Of the deaths, those in the last minute count (s).
WINDOW = 60.0
# Beside one for each worker.
SPARE = 5
LONGEST = 60.0


class Budget:
    """The deaths of one pool's children that nobody wished for."""

    def __init__(self, worker_nums: int) -> None:
        self.most = worker_nums + SPARE
        self.deaths: deque[float] = deque(maxlen=1_000)

    def died(self, now: float) -> None:
        """A child died by itself."""
        self.deaths.append(now)

    def free_at(self, now: float) -> float:
        """The moment (monotonic) from which the next child may start: now, or after 1, 2, 4 … 60 s."""
        recent = [death for death in self.deaths if death > now - WINDOW]
        over = len(recent) - self.most
        if over < 0:
            return now
        return max(now, recent[-1] + min(LONGEST, 2.0 ** min(over, 6)))
