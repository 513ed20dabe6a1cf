"""Recorded jobs as callers see them: found by id, searched, drawn as the `JobInfo` that memory would draw."""

import json
from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet

from yao_tasks.core.jobs import CODES, JobError, JobInfo
from yao_tasks.core.queries import Query
from yao_tasks.core.strict import decoded
from yao_tasks.journal.sql import aware, in_utc
from yao_tasks.models import JobRecord, JobStatus

# Ids of one question.
SLICE = 500
NAMES = {code: name for name, code in CODES.items()}


def find(database: str, task: str, job_id: int) -> JobRecord | None:
    """The row of a job. Raises django.db.Error."""
    rows = JobRecord.objects.using(database).select_related("owner")
    return rows.filter(task=task, job_id=job_id).first()


def several(database: str, task: str, job_ids: Sequence[int]) -> dict[int, JobInfo]:
    """Those of these jobs that have rows, by id. Raises django.db.Error."""
    found = {}
    for start in range(0, len(job_ids), SLICE):
        rows = JobRecord.objects.using(database).filter(task=task, job_id__in=job_ids[start : start + SLICE])
        found.update({row.job_id: draw(row) for row in rows})
    return found


def failures(database: str, task: str, job_id: int) -> QuerySet[JobRecord]:
    """The row of a job, as long as it is a failure."""
    return JobRecord.objects.using(database).filter(task=task, job_id=job_id, status=JobStatus.FAILURE)


def is_known(database: str, task: str, job_id: int) -> bool:
    """Whether the task has a row with this id. Raises django.db.Error."""
    return JobRecord.objects.using(database).filter(task=task, job_id=job_id).exists()


def search(database: str, task: str, query: Query, *, without: list[int], most: int) -> list[JobRecord]:
    """At most so many rows that fit, in the query's order; without the jobs that memory knows better."""
    rows = JobRecord.objects.using(database).filter(task=task)
    if query.phase == "retrying":
        rows = rows.filter(status=JobStatus.WAITING, attempt__gt=0, due_at__isnull=False)
    elif query.phase == "delayed":
        rows = rows.filter(status=JobStatus.WAITING, attempt=0, due_at__isnull=False)
    elif query.phase == "ready":
        rows = rows.filter(status=JobStatus.WAITING, due_at__isnull=True)
    if query.status is not None:
        rows = rows.filter(status=CODES[query.status])
    if query.kind is not None:
        rows = rows.filter(kind=query.kind)
    if query.since is not None:
        rows = rows.filter(added_at__gte=aware(query.since.timestamp()))
    if query.until is not None:
        rows = rows.filter(added_at__lt=aware(query.until.timestamp()))
    if query.text is not None:
        rows = rows.filter(_has(query.text))
    if without:
        rows = rows.exclude(job_id__in=without)
    return _ordered(rows, query.order, most)


def draw(row: JobRecord) -> JobInfo:
    """A picture of a recorded job. What was changed by hand into what can't be read is left out."""
    args, kwargs = _arguments(row.args)
    status = NAMES.get(row.status, "FAILURE")
    error = None
    if status == "FAILURE":
        error = JobError(
            kind=row.kind or "lost", type=row.error_type, message=row.error, traceback=row.traceback
        )
    added_at = in_utc(row.added_at)
    assert added_at is not None
    return JobInfo(
        id=row.job_id,
        task=row.task,
        status=status,
        current=_plain(row.current),
        total=_plain(row.total),
        message=row.message,
        response=error.message if error else _result(row.result),
        error=error,
        args=args,
        kwargs=kwargs,
        attempt=row.attempt,
        added_at=added_at,
        started_at=in_utc(row.started_at),
        ended_at=in_utc(row.ended_at),
        due_at=in_utc(row.due_at),
        worker=row.worker or None,
    )


def _ordered(rows: QuerySet[JobRecord], order: str, most: int) -> list[JobRecord]:
    sign = "-" if order.startswith("-") else ""
    if order.endswith("added_at"):
        return list(rows.order_by(order, f"{sign}job_id")[:most])
    # What has not ended counts as ending last. Two looks, since databases differ about NULL, and an index has an order.
    live = list(rows.filter(ended_at__isnull=True).order_by(f"{sign}job_id")[:most])
    ended = list(rows.filter(ended_at__isnull=False).order_by(order, f"{sign}job_id")[:most])
    return (live + ended if sign else ended + live)[:most]


def _has(text: str) -> Q:
    found = Q(message__icontains=text) | Q(error__icontains=text) | Q(error_type__icontains=text)
    found |= Q(args__icontains=text)
    return found | Q(job_id=int(text)) if text.isascii() and text.isdigit() and len(text) < 17 else found


def _arguments(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        return decoded(text)
    except ValueError:
        return (), {}


def _result(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _plain(number: float) -> float:
    return int(number) if number.is_integer() else number
