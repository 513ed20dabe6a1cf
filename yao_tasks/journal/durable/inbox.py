"""What other threads tell the clerk of a process, and the bell that wakes it."""

from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from yao_tasks.journal.durable.claims import Claim
from yao_tasks.journal.durable.endings import Ending

Then = Callable[[bool], None]
"""Called by the clerk once an end is committed; with False where it was refused."""
News = TypeVar("News")


class Inbox:
    """Any thread may call any method but the last three, which are the clerk's."""

    def __init__(self) -> None:
        self.ends: deque[tuple[Ending, Then]] = deque()
        self.written: deque[tuple[Ending, Then]] = deque()
        self.hints: deque[tuple[str, int]] = deque()
        self.unstarted: deque[Claim] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        # Whether the bell has been rung for what is in there: once is enough.
        self._rung = False

    def hint(self, task: str, job_id: int) -> None:
        """A job was committed, or has become due."""
        self.hints.append((task, job_id))
        self.ring()

    def over(self, ending: Ending, then: Then) -> None:
        """A run is over: have that written, and `then` called."""
        self.ends.append((ending, then))
        self.ring()

    def finished(self, ending: Ending, then: Then) -> None:
        """An end was written and committed by the handler itself: `then` is called, as if the clerk had done it."""
        self.written.append((ending, then))
        self.ring()

    def give_back(self, claim: Claim) -> None:
        """A job that was claimed won't be started here: let it wait again."""
        self.unstarted.append(claim)
        self.ring()

    def ring(self) -> None:
        """There is something to do."""
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def has_ends(self) -> bool:
        """Whether there is anything that must not be forgotten."""
        return bool(self.ends or self.written or self.unstarted)

    def wait(self, seconds: float) -> None:
        """Wait for the bell, so long at most."""
        try:
            self._bell.get(timeout=seconds)
            while True:
                self._bell.get_nowait()
        except Empty:
            pass

    def hear(self) -> None:
        """From now on what comes in rings again: whoever came before is taken by what follows."""
        self._rung = False

    @staticmethod
    def take(news: "deque[News]") -> list[News]:
        """Take all of it out."""
        taken = []
        while news:
            taken.append(news.popleft())
        return taken
