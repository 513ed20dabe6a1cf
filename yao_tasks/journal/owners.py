"""The processes that write jobs: this one's row, and the end of what dead ones have left behind."""

import socket
from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from yao_tasks.core import machine
from yao_tasks.core.lifecycle import LEFT_BEHIND
from yao_tasks.core.machine import Identity
from yao_tasks.models import JobOwner, JobRecord, JobStatus

# A slice of the rows that a dead process left: so many at once.
SLICE = 500
ALIVE = (JobStatus.WAITING, JobStatus.RUNNING)


def enroll(database: str, role: str, release: str, now: datetime) -> int:
    """Write this process's row, and answer its key."""
    here = machine.mine()
    owner = JobOwner.objects.using(database).create(
        machine=here.machine,
        boot=here.boot,
        pid_space=here.pid_space,
        pid=here.pid,
        born=here.born,
        host=socket.gethostname()[:255],
        role=role,
        release=release[:100],
        started_at=now,
    )
    return owner.pk


def leave(database: str, owner: int, now: datetime) -> None:
    """This process writes no more."""
    JobOwner.objects.using(database).filter(pk=owner).update(ended_at=now)


def identity(owner: JobOwner) -> Identity:
    """The process that a row means."""
    return Identity(
        machine=owner.machine, boot=owner.boot, pid_space=owner.pid_space, pid=owner.pid, born=owner.born
    )


def is_worked(database: str, now: datetime) -> bool:
    """Whether a process lives that runs durable jobs. Raises django.db.Error."""
    working = JobOwner.objects.using(database).filter(ended_at__isnull=True, lease_until__gt=now)
    return any(identity(owner).is_alive() is not False for owner in working)


def bury(database: str, now: Callable[[], datetime]) -> int:
    """End as lost what dead processes of this machine had in their memory. Answers how many jobs."""
    count = 0
    left = JobRecord.objects.using(database).filter(status__in=ALIVE, durable=False)
    for owner in JobOwner.objects.using(database).filter(pk__in=left.values("owner").distinct()):
        if identity(owner).is_alive() is False:
            count += _bury_one(database, owner, now)
    return count


def _bury_one(database: str, owner: JobOwner, now: Callable[[], datetime]) -> int:
    rows, count = JobRecord.objects.using(database), 0
    while True:
        with transaction.atomic(using=database):
            mine = rows.filter(status__in=ALIVE, durable=False, owner=owner)
            found = list(mine.values_list("pk", flat=True)[:SLICE])
            text = f"The process {owner} ended, and what it had in memory ended with it."
            count += mine.filter(pk__in=found).update(error=text, ended_at=now(), **LEFT_BEHIND)
        if len(found) < SLICE:
            break
    if owner.ended_at is None:
        leave(database, owner.pk, now())
    return count
