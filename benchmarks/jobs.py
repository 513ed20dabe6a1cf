"""What the jobs do: the same functions for yao_tasks and for its peers.

The thread that measures sleeps on a lock that the last job releases: one that looked now and then whether all have
run would take the GIL from them.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

# A round that takes longer has lost a job (s).
DEADLINE = 120


class Finish:
    """Counts the jobs of a round, and lets the measuring thread go on after the last."""

    def __init__(self) -> None:
        self.expect(0)

    def expect(self, jobs: int) -> None:
        """A round of so many jobs begins."""
        self._last = jobs
        # One C call: two threads never get the same number.
        self._numbers = itertools.count(1)
        self._over = Lock()
        self._over.acquire()

    def __call__(self) -> None:
        """A job has run."""
        if next(self._numbers) == self._last:
            self._over.release()

    def wait(self) -> None:
        """Sleep until all jobs have run. RuntimeError if some never do."""
        if not self._over.acquire(timeout=DEADLINE):
            ran = next(self._numbers) - 1
            raise RuntimeError(f"{ran} of {self._last} jobs have run after {DEADLINE} s.")

    def check(self) -> None:
        """RuntimeError if jobs have run that nobody added."""
        ran = next(self._numbers) - 1
        if ran != self._last:
            raise RuntimeError(f"{ran} jobs have run where {self._last} were added.")


finish = Finish()
gate = Event()
latencies: list[float] = []


def nothing(job_id: int, *_: object) -> None:
    """Do nothing, and be counted."""
    finish()


def behind_gate(job_id: int, *_: object, **named: object) -> None:
    """Keep the worker busy until the gate is open."""
    # A lock would stay contended after the opening: those that wait for it get it without the GIL.
    if not gate.is_set():
        gate.wait(DEADLINE)
    finish()


def short(job_id: int) -> None:
    """Take 10 ms, as a request to another service does."""
    time.sleep(0.01)
    finish()


async def anothing(job_id: int) -> None:
    """As `nothing`, in a coroutine."""
    finish()


async def ashort(job_id: int) -> None:
    """As `short`, in a coroutine."""
    await asyncio.sleep(0.01)
    finish()


def started(job_id: int, added: float) -> None:
    """Note how long ago the job was added."""
    latencies.append(time.perf_counter() - added)
    finish()


# In processes


def idle(job_id: int) -> None:
    """Do nothing."""


def ended(job_id: int, result: None) -> None:
    """In the parent: be counted."""
    finish()


def moment(job_id: int) -> float:
    """Say when it began: all processes of a machine share the monotonic clock."""
    return time.monotonic()


def pid(job_id: int) -> int:
    """Say where it ran."""
    return os.getpid()


@contextmanager
def gate_closed() -> Iterator[None]:
    """Meanwhile jobs behind the gate don't end."""
    gate.clear()
    try:
        yield
    finally:
        gate.set()
