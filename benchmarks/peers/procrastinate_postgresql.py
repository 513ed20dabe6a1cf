"""Procrastinate with PostgreSQL, by its Django app; a worker that runs ten jobs at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from procrastinate.contrib.django import app

from benchmarks.loads import tell
from benchmarks.peers.lasting import LastingPeer
from benchmarks.peers.worker import worker


@app.task
def nothing(number: int) -> None:
    """Do nothing, and be counted."""
    tell()


def load(count: int) -> None:
    """Add so many jobs, each in a commit of its own."""
    for number in range(count):
        nothing.defer(number=number)


@contextmanager
def working() -> Iterator[None]:
    """One worker, ten jobs at once; the database tells it of new ones."""
    with worker("-m", "django", "procrastinate", "worker", "--concurrency", "10"):
        yield


LASTING = LastingPeer(
    name="Procrastinate, PostgreSQL, one worker, ten at once",
    package="procrastinate",
    vendor="postgresql",
    jobs=200,
    load=load,
    working=working,
    apps="procrastinate.contrib.django",
)
