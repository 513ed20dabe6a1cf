"""APScheduler with its store in memory and its pool of threads."""

from collections.abc import Iterator
from contextlib import contextmanager

from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.jobs import nothing
from benchmarks.loads import Load
from benchmarks.peers import Peer


@contextmanager
def running() -> Iterator[Load]:
    """A scheduler in this process, with its default of ten threads; no job is too late to be run."""
    scheduler = BackgroundScheduler(job_defaults={"misfire_grace_time": None})
    scheduler.start()

    def load(count: int) -> None:
        for number in range(count):
            scheduler.add_job(nothing, args=[number])

    yield load
    scheduler.shutdown()


PEER = Peer(
    name="APScheduler, in memory, 10 threads",
    package="apscheduler",
    jobs=3_000,
    promises="Jobs at a date, at intervals, by cron expressions; stores in databases keep these over restarts.",
    running=running,
    elsewhere=False,
)
