"""The page of the processes that have, or had, jobs of this site: on this machine, or in its database."""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from yao_tasks import boot, conf
from yao_tasks.core import machine
from yao_tasks.core.ids import EPOCH, Owner, birth
from yao_tasks.dashboard.durations import age
from yao_tasks.dashboard.listing import usable
from yao_tasks.dashboard.pages import page
from yao_tasks.journal.owners import identity
from yao_tasks.models import JobOwner

# Of those that have died only the last ones say something.
MOST_DEAD = 10
# And so many rows of processes that write recorded jobs are looked at.
MOST_ROWS = 50
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """One process. What isn't known is empty, or None."""

    name: str
    """host:pid"""
    kind: str = ""
    release: str = ""
    is_this: bool = False
    is_alive: bool | None
    """None: it is on another machine, where nobody here can look."""
    since: datetime | None
    seen: datetime | None
    """When it took ids last."""
    age: str = ""
    memory: str = ""
    running: int | None = None
    waiting: int | None = None


@page("processes")
def _views(request: HttpRequest) -> dict[str, Any]:
    rows = rows_of(boot.owners(), _recorded(), timezone.now())
    alive = sum(row.is_alive is True for row in rows)
    return {"title": gettext("Processes"), "tab": "processes", "rows": rows, "alive": alive}


processes, processes_fragment = _views


def rows_of(owners: Iterable[Owner], recorded: Iterable[JobOwner], now: datetime) -> list[ProcessRow]:
    """Those alive first, this one before all; then the dead ones, the last first.

    `owners`: who took ids on this machine; `recorded`: who wrote rows, on any.
    """
    # By process: it takes a block again and again.
    last = {(owner.pid, owner.born): owner for owner in owners}
    here = os.getpid()
    if not any(pid == here and one.is_alive for (pid, _), one in last.items()):
        last[here, birth(here)] = Owner(block=0, pid=here, born=birth(here))
    written = {
        (owner.pid, owner.born): owner for owner in recorded if owner.machine == machine.mine().machine
    }
    rows = [_row(one, written.get(key), now) for key, one in last.items()]
    rows += [
        _recorded_row(one)
        for one in recorded
        if (one.pid, one.born) not in last or one not in written.values()
    ]
    living = sorted(
        (row for row in rows if row.is_alive is not False), key=lambda row: (not row.is_this, row.name)
    )
    return living + [row for row in rows if row.is_alive is False][::-1][:MOST_DEAD]


def _recorded() -> list[JobOwner]:
    """The last processes that wrote recorded jobs, the oldest first."""
    database = conf.current().database
    try:
        # In a block of its own: a failure inside the request's transaction would break that.
        with transaction.atomic(using=database):
            return list(JobOwner.objects.using(database).order_by("-pk")[:MOST_ROWS])[::-1]
    except DatabaseError:  # the table isn't migrated, or the database is away
        return []


def _row(owner: Owner, written: JobOwner | None, now: datetime) -> ProcessRow:
    is_alive = owner.is_alive
    is_this = is_alive and owner.pid == os.getpid()
    metrics = [reading.metrics for reading in usable()] if is_this else None
    seen = datetime.fromtimestamp(EPOCH + owner.block / 100, UTC) if owner.block else now
    # To the minute: a page that says more would be another one each time.
    seen = seen.replace(second=0, microsecond=0)
    return ProcessRow(
        name=f"{socket.gethostname()}:{owner.pid}",
        kind=_kind() if is_this else _role(written),
        release=written.release if written is not None else "",
        is_this=is_this,
        is_alive=is_alive,
        since=_since(owner.pid) if is_alive else None,
        seen=seen,
        age=age(max(0.0, (now - seen).total_seconds())),
        memory=_memory(owner.pid) if is_alive else "",
        running=None if metrics is None else sum(one["running"] for one in metrics),
        waiting=None if metrics is None else sum(one["waiting"] for one in metrics),
    )


def _recorded_row(owner: JobOwner) -> ProcessRow:
    is_alive = False if owner.ended_at is not None else identity(owner).is_alive()
    return ProcessRow(
        name=str(owner),
        kind=_role(owner),
        release=owner.release,
        is_alive=is_alive,
        since=owner.started_at,
        seen=None,
    )


def _role(owner: JobOwner | None) -> str:
    words = {"server": gettext("web"), "command": gettext("command")}
    return "" if owner is None else words.get(owner.role, owner.role)


def _kind() -> str:
    return gettext("web") if boot.is_serving() else gettext("command")


def _since(pid: int) -> datetime | None:
    """When the process was born, as far as the kernel says."""
    try:
        return datetime.fromtimestamp(Path(f"/proc/{pid}").stat().st_ctime, UTC)
    except OSError:
        return None


def _memory(pid: int) -> str:
    """What it has in memory; empty where the kernel doesn't say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return ""
    return gettext("%d MiB") % (pages * os.sysconf("SC_PAGE_SIZE") / MIB)
