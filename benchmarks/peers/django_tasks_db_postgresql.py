"""django-tasks-db with PostgreSQL, its worker in a process of its own."""

from benchmarks.peers.django_tasks_db import APPS, PACKAGE, load, working
from benchmarks.peers.lasting import LastingPeer

LASTING = LastingPeer(
    name="django-tasks-db, PostgreSQL, one worker",
    package=PACKAGE,
    vendor="postgresql",
    jobs=100,
    load=load,
    working=working,
    apps=APPS,
)
