"""django-tasks-db with SQLite, its worker in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.loads import Load, tell
from benchmarks.peers import Peer
from benchmarks.peers.worker import worker

try:
    from django.tasks import task
except ImportError:  # before Django 6
    from django_tasks import task


@task()
def nothing(number: int) -> None:
    """Do nothing, and be counted."""
    tell()


@contextmanager
def running() -> Iterator[Load]:
    """One worker, which looks for jobs every 10 ms instead of every second."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)

    def load(count: int) -> None:
        for number in range(count):
            nothing.enqueue(number)

    with worker("-m", "django", "db_worker", "--interval", "0.01", "--no-startup-delay"):
        yield load


PEER = Peer(
    name="django-tasks-db, SQLite, one worker",
    package="django-tasks-db",
    jobs=200,
    promises="A job is a row, written in the caller's transaction: it outlives every process, and so does its result.",
    running=running,
    apps="django_tasks_db",
)
