"""django-q2 with Redis, its cluster in processes of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.loads import Load, tell
from benchmarks.peers import Peer
from benchmarks.peers.worker import worker


def nothing(number: int) -> None:
    """Do nothing, and be counted."""
    tell()


@contextmanager
def running() -> Iterator[Load]:
    """A cluster of as many processes as there are cores, which is its default; successes are not stored."""
    from django.core.management import call_command
    from django_q.tasks import async_task

    call_command("migrate", verbosity=0)

    def load(count: int) -> None:
        for number in range(count):
            async_task(nothing, number)

    with worker("-m", "django", "qcluster"):
        yield load


PEER = Peer(
    name="django-q2, Redis, a process for each core",
    package="django-q2",
    jobs=200,
    promises="Many machines; processes, so that a timeout stops a job; schedules; results in database and admin.",
    running=running,
    redis=True,
    apps="django_q",
)
