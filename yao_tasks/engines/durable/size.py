"""How many durable jobs of a task may wait: counted in the database, but not at each add."""

import threading
import time
from collections.abc import Callable

from yao_tasks.core import refusals
from yao_tasks.core.definitions import Definition
from yao_tasks.journal.durable import counts

# What other processes have added and ended meanwhile is seen as often as this (s); and where counting takes long,
# so seldom that it takes one part in so many of the time.
FRESH = 1.0
SHARE = 50
# Who waits for a place looks this often (s).
LOOK = 0.05


class Size:
    """The places of one task's queue. Any thread may call any method."""

    def __init__(
        self,
        definition: Definition,
        database: str,
        *,
        workers: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        """`workers`: how many there are in this process just now."""
        self.definition = definition
        self.workers = workers
        self.tasks = (definition.id, *definition.formerly)
        self.database = database
        self.monotonic = monotonic
        self._known = 0
        self._free = 0
        self._fresh_until = float("-inf")
        # Guards the count of what this process has added since it last asked.
        self._guard = threading.Lock()

    def take(self, count: int, *, patient: bool = False) -> None:
        """Take so many places, all or none. QueueFull; with `patient` after `overflow_wait`. Raises django.db.Error."""
        until = self.monotonic() + self.definition.overflow_wait
        while not self._take(count):
            if not patient or self.monotonic() >= until:
                raise refusals.full(self.definition.id, self.definition.size)
            time.sleep(LOOK)

    def give_back(self, count: int) -> None:
        """They were not used."""
        with self._guard:
            self._known -= count

    def forget(self) -> None:
        """What was counted no longer holds."""
        self._fresh_until = float("-inf")

    def _take(self, count: int) -> bool:
        if self.monotonic() >= self._fresh_until or not self._fits(count):
            # Asked again before a refusal: jobs end all the time.
            self._count()
        with self._guard:
            fits = self._fits(count)
            self._known += count if fits else 0
        return fits

    def _fits(self, count: int) -> bool:
        return self._known + count - self._free <= self.definition.size

    def _count(self) -> None:
        began = self.monotonic()
        workers = self.workers()
        waiting = counts.waiting(self.database, self.tasks, self.definition.size + workers + 1)
        busy = workers
        if not counts.is_paused(self.database, self.definition.id):
            busy = counts.running(self.database, self.tasks, workers)
        with self._guard:
            self._known, self._free = waiting, workers - busy
        took = self.monotonic() - began
        self._fresh_until = began + max(FRESH, SHARE * took)
