"""The failures that are remembered, of all pools, grouped by task and exception."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from yao_tasks.core.jobs import FAILURE_NAME, JobError, JobInfo
from yao_tasks.dashboard.durations import age
from yao_tasks.dashboard.filters import Filter
from yao_tasks.dashboard.readings import Reading
from yao_tasks.dashboard.statuses import failure, kind_word

MOST = 20
# So many failures are looked at, of all pools: some milliseconds.
LOOKED_AT = 2_000
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
    moment: datetime
    """When the last of them ended."""
    age: str
    first: str
    """How long ago the first of them ended; empty for a single one."""
    can_retry: bool
    query: str
    """What the list of jobs is asked for, to show them all."""


def recent_failures(readings: Iterable[Reading], *, may_operate: bool) -> list[FailureRow]:
    """The `MOST` groups that failed last, the latest first."""
    failing = [one for one in readings if "search" in one.supports and any(one.metrics["failed"].values())]
    share = max(50, LOOKED_AT // max(1, len(failing)))
    groups: dict[Key, tuple[Reading, list[JobInfo]]] = {}
    for reading in failing:
        for info in reading.pool.search(status=FAILURE_NAME, order="-ended_at", limit=share):
            groups.setdefault(_key(info), (reading, []))[1].append(info)
    latest = sorted(groups.values(), key=lambda group: _ended(group[1][0]), reverse=True)
    now = timezone.now()
    return [_row(reading, infos, now, may_operate=may_operate) for reading, infos in latest[:MOST]]


def _key(info: JobInfo) -> Key:
    error = _error(info)
    return info.task, error.kind, error.type


def _error(info: JobInfo) -> JobError:
    return info.error or JobError(kind="raised", type="", message="", traceback="")


def _ended(info: JobInfo) -> datetime:
    return info.ended_at or info.added_at


def _row(reading: Reading, infos: Sequence[JobInfo], now: datetime, *, may_operate: bool) -> FailureRow:
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
