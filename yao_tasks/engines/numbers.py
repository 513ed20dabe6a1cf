"""`pool.metrics()`: what has happened since the process began, what is now, and the last hour."""

from collections import Counter
from itertools import islice
from typing import Any

from yao_tasks.core.jobs import RETRYING, RUNNING, Job
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.snapshots import first_of
from yao_tasks.engines.parts import Parts

# A pool may have 1,000 workers.
MOST_WORKERS = 200


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
        "crew": _crew(parts),
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


def _crew(parts: Parts) -> list[dict[str, Any]]:
    """The workers of this process: which job each runs, since when, and what it has done since it began.

    Moments are seconds since 1970. Of coroutines, which come and go with their runs, `done` and `since` are None.
    """
    tallies = dict(islice(list(parts.workers.tallies.items()), MOST_WORKERS))
    crew = []
    for job in islice(list(parts.life.running.values()), MOST_WORKERS):
        tally, started = tallies.pop(job.worker or "", None), job.started
        crew.append(
            {
                "worker": job.worker or "",
                "job": job.id,
                "started": job.added_at if started is None else job.added_at + started - job.added,
                "done": None if tally is None else tally.done,
                "since": None if tally is None else tally.since,
            }
        )
    return crew + [
        {"worker": name, "job": None, "started": None, "done": tally.done, "since": tally.since}
        for name, tally in tallies.items()
    ]


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
    # Mostly one of the first that don't run: a copy of all would cost a long queue more than that.
    oldest, is_found = _oldest(first_of(life.jobs.values(), len(life.running) + 100), now)
    if not is_found:
        oldest, _ = _oldest(list(life.jobs.values()), now)
    return max(0.0, now - oldest)


def _oldest(jobs: list[Job], now: float) -> tuple[float, bool]:
    """Since when the one waits that waits longest; whether none behind these may wait longer."""
    oldest = now
    for job in jobs:
        if job.status < RUNNING and job.due is None:
            oldest = min(oldest, job.ready)
            if job.ready <= job.added:
                # They stand in the order in which they came: those behind it became ready later.
                return oldest, True
    return oldest, False
