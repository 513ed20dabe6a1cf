"""The jobs that failed last, of all pools."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from yao_tasks.core.jobs import FAILURE_NAME, JobError, JobInfo
from yao_tasks.dashboard.durations import age
from yao_tasks.dashboard.readings import Reading
from yao_tasks.dashboard.statuses import kind_word

MOST = 20
# A page is no place for an essay; the log has all of it.
MESSAGE_LENGTH = 500
TRACEBACK_LENGTH = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """One line of the table of failures."""

    id: int
    task: str
    name: str
    kind: str
    """The kind of failure in the reader's words."""
    type: str
    """The exception's name."""
    message: str
    traceback: str
    """Its end, for those who may steer; empty where nothing was raised."""
    attempt: int
    moment: datetime
    """When it ended."""
    age: str
    can_retry: bool


def recent_failures(readings: Iterable[Reading], *, may_operate: bool) -> list[FailureRow]:
    """The last `MOST` of all pools, the latest first."""
    found = [(reading, info) for reading in readings for info in _failed(reading)]
    found.sort(key=lambda pair: _ended(pair[1]), reverse=True)
    now = timezone.now()
    return [_row(reading, info, now, may_operate=may_operate) for reading, info in found[:MOST]]


def _failed(reading: Reading) -> list[JobInfo]:
    if "search" not in reading.supports or not any(reading.metrics["failed"].values()):
        return []
    return reading.pool.search(status=FAILURE_NAME, order="-ended_at", limit=MOST)


def _ended(info: JobInfo) -> datetime:
    return info.ended_at or info.added_at


def _row(reading: Reading, info: JobInfo, now: datetime, *, may_operate: bool) -> FailureRow:
    error = info.error or JobError(kind="raised", type="", message="", traceback="")
    hide = reading.redaction.hider(info)
    return FailureRow(
        id=info.id,
        task=reading.config.id,
        name=reading.config.name,
        kind=kind_word(error.kind),
        type=error.type,
        message=start_of(hide(error.message)),
        traceback=end_of(hide(error.traceback)) if may_operate else "",
        attempt=info.attempt,
        moment=_ended(info),
        age=age((now - _ended(info)).total_seconds()),
        can_retry=may_operate and "retry" in reading.supports,
    )


def start_of(text: str, length: int = MESSAGE_LENGTH) -> str:
    """The start of a message."""
    return text if len(text) <= length else f"{text[:length]}…"


def end_of(text: str, length: int = TRACEBACK_LENGTH) -> str:
    """The end of a traceback, where it says what happened."""
    return text if len(text) <= length else f"…{text[-length:]}"
