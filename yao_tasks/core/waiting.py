"""Waiting for a job's end. It costs only those who wait: a job has waiters only while somebody waits."""

from queue import SimpleQueue
from threading import TIMEOUT_MAX, Event, RLock
from typing import TYPE_CHECKING

from yao_tasks.core.jobs import SUCCEEDED, Job, Waiter, Waiters

if TYPE_CHECKING:
    # Whoever waits in a loop has imported it; importing it costs each other process 20 ms.
    import asyncio


def wait(job: Job, lock: RLock, seconds: float | None) -> bool:
    """Wait in the calling thread until the job has ended. False if the time (None: no limit) ran out."""
    waiter = Event()
    if not join(job, lock, waiter):
        return True
    try:
        # What is longer, infinity too, is beyond what a lock can be waited for.
        return waiter.wait(None if seconds is None else min(seconds, TIMEOUT_MAX))
    finally:
        part(job, lock, waiter)


def join(job: Job, lock: RLock, waiter: Waiter) -> bool:
    """Have `waiter.set()` called at the job's end, by the one who ends it. False if it has ended already."""
    key, fresh = id(waiter), Waiters()
    with lock:
        alive = job.status < SUCCEEDED
        if alive:
            if job.waiters is None:
                job.waiters = fresh
            job.waiters[key] = waiter
    return alive


def part(job: Job, lock: RLock, waiter: Waiter) -> None:
    """Wait no longer."""
    key = id(waiter)
    with lock:
        waiters = job.waiters
        # The caller still holds the waiter: this `del` ends no object's life under the lock.
        if waiters is not None and key in waiters:
            del waiters[key]


def wake(waiters: Waiters | None) -> None:
    """Tell those who wait for a job that it has ended. Called outside the lock by the one who ended it."""
    if waiters is not None:
        # A snapshot: one that gives up just now may take itself out.
        for waiter in list(waiters.values()):
            waiter.set()


class QueueWaiter:
    """Puts its job into a queue at the end, for one who waits for many."""

    def __init__(self, job: Job, done: SimpleQueue[Job]) -> None:
        self.job = job
        self.done = done

    def set(self) -> None:
        """The job has ended."""
        self.done.put(self.job)


class LoopWaiter:
    """Ends a future of an event loop, whose thread need not wait."""

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()

    def set(self) -> None:
        """The job has ended. Called in any thread."""
        try:
            self.loop.call_soon_threadsafe(self._done)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    def _done(self) -> None:
        if not self.future.done():
            self.future.set_result(None)
