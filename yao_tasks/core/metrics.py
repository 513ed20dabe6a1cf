"""A pool in numbers: what has happened since its process began, and what is now."""

from typing import Any

from yao_tasks.core.announcer import Announcer
from yao_tasks.core.jobs import RUNNING
from yao_tasks.core.lifecycle import Lifecycle


def metrics(life: Lifecycle, announcer: Announcer, now: float) -> dict[str, Any]:
    """The numbers of one pool, for any thread. `now`: monotonic seconds."""
    with life.lock:
        added = life.added
        started = life.started
        succeeded = life.succeeded
        retried = life.retried
        refused = life.refused
        retrying = life.retrying
        threads = life.threads
        stuck = life.stuck
    running = len(life.running)
    slow = announcer.watch.slow_events()
    return {
        "added": added,
        "started": started,
        "succeeded": succeeded,
        "failed": dict(life.failed),
        "retried": retried,
        "refused": refused,
        # Of these `delayed` are not due yet.
        "waiting": max(0, len(life.jobs) - running),
        "delayed": retrying,
        "running": running,
        "workers": threads,
        "stuck": stuck,
        "paused": False,
        "oldest_waiting": _oldest_waiting(life, now),
        "failed_events": announcer.failed_events,
        "slow_events": [f"event.{event} of job {job.id}: {seconds:.0f} s" for event, job, seconds in slow],
    }


def _oldest_waiting(life: Lifecycle, now: float) -> float:
    waiting = (job.added for job in list(life.jobs.values()) if job.status < RUNNING)
    return max(0.0, now - next(waiting, now))
