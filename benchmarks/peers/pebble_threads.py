"""pebble: a pool of threads with a future for each job."""

from collections.abc import Iterator
from contextlib import contextmanager

from pebble import ThreadPool

from benchmarks.jobs import nothing
from benchmarks.loads import Load
from benchmarks.peers import Peer


@contextmanager
def running() -> Iterator[Load]:
    """A pool of ten threads in this process."""
    pool = ThreadPool(max_workers=10)

    def load(count: int) -> None:
        for number in range(count):
            pool.schedule(nothing, args=[number])

    yield load
    pool.close()
    pool.join()


PEER = Peer(
    name="pebble, 10 threads",
    package="pebble",
    jobs=10_000,
    promises="A future for each job. Its pool of processes, not measured here, stops a job at its timeout.",
    running=running,
    elsewhere=False,
)
