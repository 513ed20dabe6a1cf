"""How soon a child that died may be followed by another: at once, until too many died. Pure decisions."""

from collections import deque

# Of the deaths, those in the last minute count (s).
WINDOW = 60.0
# Beside one for each worker.
SPARE = 5
LONGEST = 60.0
# More deaths than this in ten minutes (s) are a case for people, however slowly they follow each other.
MOST_DEATHS = 20
LONG_WINDOW = 600.0


class Budget:
    """The deaths of one pool's children that nobody wished for."""

    def __init__(self, worker_nums: int) -> None:
        self.most = worker_nums + SPARE
        self.deaths: deque[float] = deque(maxlen=1_000)
        self.last = ""

    def died(self, now: float, how: str) -> None:
        """A child died by itself. `how`: "exited with status 3"."""
        self.deaths.append(now)
        self.last = how

    def free_at(self, now: float) -> float:
        """The moment (monotonic) from which the next child may start: now, or after 1, 2, 4 … 60 s."""
        # A copy: others may die meanwhile.
        recent = [death for death in list(self.deaths) if death > now - WINDOW]
        over = len(recent) - self.most
        if over < 0:
            return now
        return max(now, recent[-1] + min(LONGEST, 2.0 ** min(over, 6)))

    def trouble(self, now: float) -> str:
        """What a person should know of the deaths, in words; empty where they are few."""
        count = sum(death > now - LONG_WINDOW for death in list(self.deaths))
        if count <= MOST_DEATHS:
            return ""
        text = f"{count} of its processes died within 10 minutes; the last one {self.last}."
        wait = self.free_at(now) - now
        return f"{text} The next starts in {wait:.0f} s." if wait > 0 else text
