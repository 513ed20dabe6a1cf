"""Celery with Redis, its worker in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery

from benchmarks.loads import Load, tell
from benchmarks.peers import REDIS_URL, Peer
from benchmarks.peers.worker import worker

app = Celery("benchmarks", broker=REDIS_URL)


@app.task(ignore_result=True)
def nothing(number: int) -> None:
    """Do nothing, and be counted."""
    tell()


@contextmanager
def running() -> Iterator[Load]:
    """A worker of ten threads, without results."""

    def load(count: int) -> None:
        for number in range(count):
            nothing.delay(number)

    with worker(
        "-m", "celery", "-A", f"{__name__}:app", "worker", "-P", "threads", "-c", "10", "-l", "ERROR"
    ):
        yield load


PEER = Peer(
    name="Celery, Redis, 10 threads",
    package="celery",
    jobs=600,
    promises="Many machines; workflows, rate limits, periodic jobs; with acks_late a job outlives its worker.",
    running=running,
    redis=True,
)
