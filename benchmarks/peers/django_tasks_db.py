"""What runs django-tasks-db, whatever its database."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.loads import tell
from benchmarks.peers.worker import worker

try:
    from django.tasks import task
except ImportError:  # before Django 6
    from django_tasks import task

PACKAGE = "django-tasks-db"
APPS = "django_tasks_db"


@task()
def nothing(number: int) -> None:
    """Do nothing, and be counted."""
    tell()


def load(count: int) -> None:
    """Add so many jobs, each in a commit of its own."""
    for number in range(count):
        nothing.enqueue(number)


@contextmanager
def working() -> Iterator[None]:
    """One worker, which looks for jobs every 10 ms instead of every second."""
    with worker("-m", "django", "db_worker", "--interval", "0.01", "--no-startup-delay"):
        yield
