"""Dramatiq with Redis, its worker in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.loads import Load, tell
from benchmarks.peers import REDIS_URL, Peer
from benchmarks.peers.worker import worker

dramatiq.set_broker(RedisBroker(url=REDIS_URL))


@dramatiq.actor
def nothing(number: int) -> None:
    """Do nothing, and be counted."""
    tell()


@contextmanager
def running() -> Iterator[Load]:
    """One worker process of ten threads."""

    def load(count: int) -> None:
        for number in range(count):
            nothing.send(number)

    with worker("-m", "dramatiq", __name__, "-p", "1", "-t", "10"):
        yield load


PEER = Peer(
    name="Dramatiq, Redis, 10 threads",
    package="dramatiq",
    jobs=600,
    promises="Many machines; a job whose worker dies is run again; pipelines, groups, rate limits.",
    running=running,
    redis=True,
)
