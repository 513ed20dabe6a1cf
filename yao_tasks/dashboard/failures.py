"""The failures that are remembered, of all pools, grouped by task and exception."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.utils import timezone

from yao_tasks.core.jobs import FAILURE_NAME, JobError, JobInfo
from yao_tasks.dashboard.counts import mark
from yao_tasks.dashboard.durations import age
from yao_tasks.dashboard.filters import Filter
from yao_tasks.dashboard.keeping import kept
from yao_tasks.dashboard.readings import Reading
from yao_tasks.dashboard.statuses import failure, kind_word

MOST = 20
# So many failures are looked at, of all pools: some milliseconds.
LOOKED_AT = 2_000
# Of a recorded task, whose failures come from the database.
LOOKED_UP = 200
# As long as memory keeps a failure (s): what is older is history.
KEPT = 86_400.0
# A page is no place for an essay; the log has all of it.
MESSAGE_LENGTH = 500
TRACEBACK_LENGTH = 2_000

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """One line of the table of failures: a group, with the last of them as a sample."""

    id: int
    task: str
    name: str
    icon: str
    kind: str
    """The kind of failure in the reader's words."""
    type: str
    """The exception's name."""
    message: str
    traceback: str
    """Its end, for those who may steer; empty where nothing was raised."""
    count: int
    has_more: bool
    """There may be more than were looked at."""
    moment: datetime
    """When the last of them ended."""
    age: str
    first: str
    """How long ago the first of them ended; empty for a single one."""
    can_retry: bool
    query: str
    """What the list of jobs is asked for, to show them all."""


class _Group(NamedTuple):
    reading: Reading
    infos: list[JobInfo]
    has_more: bool


def recent_failures(readings: Iterable[Reading], *, may_operate: bool) -> list[FailureRow]:
    """The `MOST` groups that failed last, the latest first."""
    failing = [one for one in readings if "search" in one.supports and _may_have_failed(one)]
    share = max(50, LOOKED_AT // max(1, len(failing)))
    groups: dict[Key, _Group] = {}
    now = timezone.now()
    for reading in failing:
        limit = LOOKED_UP if reading.is_recorded else share
        found = _failures(reading, limit)
        for info in found:
            if reading.is_recorded and (now - _ended(info)).total_seconds() > KEPT:
                break
            group = groups.setdefault(_key(info), _Group(reading, [], len(found) == limit))
            group.infos.append(info)
    latest = sorted(groups.values(), key=lambda group: _ended(group.infos[0]), reverse=True)
    return [_row(group, now, may_operate=may_operate) for group in latest[:MOST]]


def _may_have_failed(reading: Reading) -> bool:
    # A recorded one may have failed in another process.
    return reading.is_recorded or any(reading.metrics["failed"].values())


def _failures(reading: Reading, limit: int) -> list[JobInfo]:
    ask = partial(reading.pool.search, status=FAILURE_NAME, order="-ended_at", limit=limit)
    return kept(f"failures of {reading.config.id}", ask, mark=mark)[0] if reading.is_recorded else ask()


def _key(info: JobInfo) -> Key:
    error = _error(info)
    return info.task, error.kind, error.type


def _error(info: JobInfo) -> JobError:
    return info.error or JobError(kind="raised", type="", message="", traceback="")


def _ended(info: JobInfo) -> datetime:
    return info.ended_at or info.added_at


def _row(group: _Group, now: datetime, *, may_operate: bool) -> FailureRow:
    reading, infos = group.reading, group.infos
    last, first = infos[0], infos[-1]
    error, hide = _error(last), reading.redaction.hider(last)
    return FailureRow(
        id=last.id,
        task=reading.config.id,
        name=reading.config.name,
        icon=failure(error.kind).icon,
        kind=kind_word(error.kind),
        type=error.type,
        message=start_of(hide(error.message)),
        traceback=end_of(hide(error.traceback)) if may_operate else "",
        count=len(infos),
        has_more=group.has_more,
        moment=_ended(last),
        age=age((now - _ended(last)).total_seconds()),
        first=age((now - _ended(first)).total_seconds()) if len(infos) > 1 else "",
        can_retry=may_operate and "retry" in reading.supports,
        query=Filter(task=last.task, status="failed", kind=error.kind, type=error.type).query(),
    )


def start_of(text: str, length: int = MESSAGE_LENGTH) -> str:
    """The start of a message."""
    return text if len(text) <= length else f"{text[:length]}…"


def end_of(text: str, length: int = TRACEBACK_LENGTH) -> str:
    """The end of a traceback, where it says what happened."""
    return text if len(text) <= length else f"…{text[-length:]}"
