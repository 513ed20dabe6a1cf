"""django-tasks-db with SQLite, its worker in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.loads import Load
from benchmarks.peers import Peer
from benchmarks.peers.django_tasks_db import APPS, PACKAGE, load, working
from benchmarks.peers.lasting import LastingPeer


@contextmanager
def running() -> Iterator[Load]:
    """One worker."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with working():
        yield load


PEER = Peer(
    name="django-tasks-db, SQLite, one worker",
    package=PACKAGE,
    jobs=200,
    promises="A job is a row, written in the caller's transaction: it outlives every process, and so does its result.",
    running=running,
    apps=APPS,
)
LASTING = LastingPeer(
    name="django-tasks-db, SQLite, one worker",
    package=PACKAGE,
    vendor="sqlite",
    jobs=200,
    load=load,
    working=working,
    apps=APPS,
)
