"""Other ways to run a job in the background, one a file: each has a `PEER`, and a function that runs it.

Each runs as its own documentation says, on one machine. Where one looks for jobs only now and then, it is told to
look as often as it lets itself be told; where it can do without storing results, it does.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from benchmarks.loads import Load

# Only this database is used, and emptied.
REDIS = 9
REDIS_URL = f"redis://127.0.0.1:6379/{REDIS}"

NAMES = (
    "pebble_threads",
    "huey_memory",
    "apscheduler_memory",
    "dramatiq_redis",
    "huey_sqlite",
    "celery_redis",
    "django_q2_redis",
    "django_tasks_db_sqlite",
    "rq_redis",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another task queue, and how it is measured."""

    name: str
    package: str
    """The distribution whose version is told."""
    jobs: int
    """Jobs of a round: as many as it can run in a second or two."""
    promises: str
    """What it does for this price, in a sentence or two."""
    running: Callable[[], AbstractContextManager[Load]]
    """Runs it; gives what adds jobs that do nothing but be counted."""
    elsewhere: bool = True
    """Whether its jobs run in another process."""
    redis: bool = False
    apps: str = ""
    """Django apps that it needs."""
