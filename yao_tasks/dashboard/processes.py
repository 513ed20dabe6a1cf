"""The page of the processes that have, or had, jobs of this site on this machine."""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from yao_tasks import boot
from yao_tasks.core.ids import EPOCH, Owner
from yao_tasks.dashboard.durations import age
from yao_tasks.dashboard.listing import usable
from yao_tasks.dashboard.pages import page

# Of those that have died only the last ones say something.
MOST_DEAD = 10
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """One process. What isn't known is empty."""

    name: str
    """host:pid"""
    kind: str
    is_this: bool
    is_alive: bool
    since: datetime | None
    seen: datetime
    """When it took ids last."""
    age: str
    memory: str
    running: int | None
    waiting: int | None


@page("processes")
def _views(request: HttpRequest) -> dict[str, Any]:
    rows = rows_of(boot.owners(), timezone.now())
    return {
        "title": gettext("Processes"),
        "tab": "processes",
        "rows": rows,
        "alive": sum(r.is_alive for r in rows),
    }


processes, processes_fragment = _views


def rows_of(owners: Iterable[Owner], now: datetime) -> list[ProcessRow]:
    """Those alive first, this one before all; then the dead ones, the last first."""
    # By process: it takes a block again and again.
    last = {(owner.pid, owner.born): owner for owner in owners}
    here = os.getpid()
    alive = [one for one in last.values() if one.is_alive]
    dead = [one for one in last.values() if not one.is_alive][::-1][:MOST_DEAD]
    if all(one.pid != here for one in alive):
        alive.insert(0, Owner(block=0, pid=here, born=""))
    alive.sort(key=lambda one: (one.pid != here, one.pid))
    return [_row(one, now, is_alive=True) for one in alive] + [_row(one, now, is_alive=False) for one in dead]


def _row(owner: Owner, now: datetime, *, is_alive: bool) -> ProcessRow:
    is_this = is_alive and owner.pid == os.getpid()
    metrics = [reading.metrics for reading in usable()] if is_this else None
    seen = datetime.fromtimestamp(EPOCH + owner.block / 100, UTC) if owner.block else now
    # To the minute: a page that says more would be another one each time.
    seen = seen.replace(second=0, microsecond=0)
    return ProcessRow(
        name=f"{socket.gethostname()}:{owner.pid}",
        kind=_kind() if is_this else "",
        is_this=is_this,
        is_alive=is_alive,
        since=_since(owner.pid) if is_alive else None,
        seen=seen,
        age=age(max(0.0, (now - seen).total_seconds())),
        memory=_memory(owner.pid) if is_alive else "",
        running=None if metrics is None else sum(one["running"] for one in metrics),
        waiting=None if metrics is None else sum(one["waiting"] for one in metrics),
    )


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
