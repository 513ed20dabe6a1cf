"""Waiting for a job's end. It costs only those who wait: a job has waiters only while somebody waits."""

from threading import TIMEOUT_MAX, Event, Lock

from yao_tasks.core.jobs import SUCCEEDED, Job, Waiters


def wait(job: Job, lock: Lock, seconds: float | None) -> bool:
    """Wait in the calling thread until the job has ended. False if the time (None: no limit) ran out."""
    waiter, fresh = Event(), Waiters()
    key = id(waiter)
    with lock:
        alive = job.status < SUCCEEDED
        if alive:
            if job.waiters is None:
                job.waiters = fresh
            job.waiters[key] = waiter
    if not alive:
        return True
    try:
        # What is longer, infinity too, is beyond what a lock can be waited for.
        return waiter.wait(None if seconds is None else min(seconds, TIMEOUT_MAX))
    finally:
        _part(job, lock, key)


def _part(job: Job, lock: Lock, key: int) -> None:
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
