"""RQ, its worker in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from rq import Queue

from benchmarks.loads import Load, tell
from benchmarks.peers import REDIS_URL, Peer
from benchmarks.peers.worker import worker


def nothing(number: int) -> None:
    """Do nothing, and be counted."""
    tell()


@contextmanager
def running() -> Iterator[Load]:
    """One worker, which forks for each job."""
    queue = Queue(connection=Redis.from_url(REDIS_URL))

    def load(count: int) -> None:
        for number in range(count):
            queue.enqueue(nothing, number)

    with worker("-m", "rq.cli", "worker", "--url", REDIS_URL, "--quiet"):
        yield load


PEER = Peer(
    name="RQ, one worker",
    package="rq",
    jobs=30,
    promises="Many machines; a process for each job, so that a timeout stops it and its leaks end with it.",
    running=running,
    redis=True,
)
