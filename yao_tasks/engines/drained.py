"""The engine of `drained_tasks`: the embedded one, which knows when it is quiet, and leaves no connection open."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from yao_tasks import connections
from yao_tasks.core.announcer import Announcer
from yao_tasks.core.definitions import Definition
from yao_tasks.core.ends import Ends
from yao_tasks.core.failures import cancelled
from yao_tasks.core.jobs import Job, JobError
from yao_tasks.core.lifecycle import WAITS
from yao_tasks.engines.base import Callables, Home
from yao_tasks.engines.embedded import EmbeddedEngine


class _Count:
    """How many are under way. Any thread may call any method."""

    def __init__(self) -> None:
        self.now = 0
        # Guards the number.
        self._guard = threading.RLock()

    def change(self, by: int) -> None:
        with self._guard:
            self.now += by

    @contextmanager
    def one(self) -> Iterator[None]:
        self.change(1)
        try:
            yield
        finally:
            self.change(-1)


class CountingAnnouncer(Announcer):
    """Counts the ends that are still to be told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.untold = _Count()

    def announce(self, job: Job) -> None:
        """Have an end told; it counts until it is."""
        self.untold.change(1)
        super().announce(job)

    def tell(self, job: Job) -> None:
        """Tell it."""
        try:
            super().tell(job)
        finally:
            self.untold.change(-1)


class CountingEnds(Ends):
    """Counts the cuts under way: such a job has ended, and its end isn't announced yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cuts = _Count()

    def cut(self, job: Job, error: JobError, **among: Any) -> bool:
        """End a job from outside."""
        with self.cuts.one():
            return super().cut(job, error, **among)


class DrainedEngine(EmbeddedEngine):
    """Real threads, whatever the definition's engine is."""

    announcer_class = CountingAnnouncer
    ends_class = CountingEnds
    announcer: CountingAnnouncer
    ends: CountingEnds

    def __init__(self, definition: Definition, callables: Callables, home: Home) -> None:
        super().__init__(definition, callables, replace(home, tidy=connections.close))

    def has_events(self) -> bool:
        """Whether an event is under way or still to come, of a job that has ended."""
        life = self.life
        # In this order: what leaves the first two has come into the third.
        return life.busy > life.stuck or self.ends.cuts.now > 0 or self.announcer.untold.now > 0

    def moved(self) -> int:
        """A number that changes whenever a job comes in or starts."""
        return self.life.added + self.life.started

    def give_up_waiting(self, deadline: float) -> None:
        """Cancel the jobs that can't end by then (monotonic seconds): not due, or in a paused pool."""
        error = cancelled("The test ended before the job was due.")
        for job in list(self.life.jobs.values()):
            if self.life.paused or (job.due is not None and job.due > deadline):
                self.ends.cut(job, error, among=WAITS)


def quiet(engines: Sequence[DrainedEngine]) -> bool:
    """Whether no job lives in any of them and no event is under way, so that nothing can begin by itself."""
    before = [engine.moved() for engine in engines]
    still = not any(engine.live() for engine in engines) and not any(
        engine.has_events() for engine in engines
    )
    # An event that was under way at the first look may have added a job until the second.
    return still and before == [engine.moved() for engine in engines]
