"""Huey in memory, its consumer's threads in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from huey import MemoryHuey

from benchmarks.jobs import nothing
from benchmarks.loads import Load
from benchmarks.peers import Peer


@contextmanager
def running() -> Iterator[Load]:
    """A consumer of ten threads, which looks for jobs every 1 to 10 ms instead of every 0.1 to 10 s."""
    huey = MemoryHuey(results=False)
    task = huey.task()(nothing)
    consumer = huey.create_consumer(workers=10, periodic=False, initial_delay=0.001, max_delay=0.01)
    consumer.start()

    def load(count: int) -> None:
        for number in range(count):
            task(number)

    yield load
    consumer.stop(graceful=True)


PEER = Peer(
    name="Huey, in memory, 10 threads",
    package="huey",
    jobs=10_000,
    promises="Periodic jobs, pipelines, locks, rate limits. Jobs are lost with the process, as ours in memory are.",
    running=running,
    elsewhere=False,
)
