"""`pool.metrics()`: what has happened since the process began, what is now, and the last hour."""

from collections import Counter
from typing import Any

from yao_tasks.core.jobs import RETRYING, RUNNING
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.engines.parts import Parts


def numbers(parts: Parts, now: float) -> dict[str, Any]:
    """The numbers of one pool. `now`: monotonic seconds. `queued`: all that wait, but for those between two runs."""
    life, growth = parts.life, parts.workers.growth
    with life.lock:
        added = life.added
        started = life.started
        succeeded = life.succeeded
        retried = life.retried
        refused = life.refused
        postponed = life.postponed
        queued = life.queued
        threads = life.threads
        stuck = life.stuck
        paused = life.paused
        wanted = life.wanted
    running = len(life.running)
    return {
        "added": added,
        "started": started,
        "succeeded": succeeded,
        "failed": dict(life.failed),
        "retried": retried,
        "refused": refused,
        "waiting": max(0, len(life.jobs) - running),
        "delayed": postponed,
        "queued": queued,
        "running": running,
        "worker_type": parts.worker_type,
        "workers": threads,
        "worker_nums": wanted,
        "resized": "" if growth is None else growth.reason,
        "stuck": stuck,
        "stacks": parts.workers.stacks() if stuck else [],
        "paused": paused,
        "oldest_waiting": _oldest_waiting(life, now),
        **_counted(parts, postponed),
        **_troubles(parts, now),
        **parts.times.summary(now),
    }


def _troubles(parts: Parts, now: float) -> dict[str, Any]:
    calls = parts.watch.slow_events()
    slow = [f"event.{call.event} of job {call.job.id}: {now - call.since:.0f} s" for call in calls]
    return {
        # Why process workers can't start their processes, or that these keep dying; mostly empty.
        "trouble": parts.workers.trouble,
        "failed_events": parts.announcer.failed_events,
        "slow_events": slow,
    }


def _counted(parts: Parts, postponed: int) -> dict[str, Any]:
    """How many are between two runs, and how many ended ones can still be looked at."""
    live = list(parts.life.jobs.values()) if postponed else []
    kinds = Counter(job.error.kind for job in list(parts.retention.failures) if job.error is not None)
    return {
        "retrying": sum(job.status == RETRYING for job in live),
        "kept": {
            "succeeded": len(parts.retention.successes),
            **{kind: kinds[kind] for kind in parts.life.failed},
        },
    }


def _oldest_waiting(life: Lifecycle, now: float) -> float:
    waiting = (job.ready for job in list(life.jobs.values()) if job.status < RUNNING and job.due is None)
    return max(0.0, now - min(waiting, default=now))
