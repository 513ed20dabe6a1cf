"""Huey with SQLite, its consumer in a process of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from huey import SqliteHuey

from benchmarks.loads import Load, tell
from benchmarks.peers import Peer
from benchmarks.peers.worker import worker

huey = SqliteHuey(filename=os.path.join(os.environ["BENCH_FOLDER"], "huey.sqlite3"), results=False)


@huey.task()
def nothing(number: int) -> None:
    """Do nothing, and be counted."""
    tell()


@contextmanager
def running() -> Iterator[Load]:
    """A consumer of ten threads, which looks for jobs every 1 to 10 ms instead of every 0.1 to 10 s."""

    def load(count: int) -> None:
        for number in range(count):
            nothing(number)

    options = ["-w", "10", "-d", "0.001", "-m", "0.01", "-n", "-q"]
    with worker("-m", "huey.bin.huey_consumer", f"{__name__}.huey", *options):
        yield load


PEER = Peer(
    name="Huey, SQLite, 10 threads",
    package="huey",
    jobs=400,
    promises="Waiting jobs survive the end of the site; one that runs when its consumer dies is lost.",
    running=running,
)
