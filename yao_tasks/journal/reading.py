"""Recorded jobs as callers see them: found by id, drawn as the `JobInfo` that memory would draw."""

import json
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from yao_tasks.core.jobs import CODES, JobError, JobInfo
from yao_tasks.core.strict import decoded
from yao_tasks.journal.sql import in_utc
from yao_tasks.models import JobRecord, JobStatus

# Ids of one question.
SLICE = 500
NAMES = {code: name for name, code in CODES.items()}


def find(database: str, *tasks: str, job_id: int) -> JobRecord | None:
    """The row of a job, by any of its task's names. Raises django.db.Error."""
    rows = JobRecord.objects.using(database).select_related("owner")
    # In one question: its task may be given the new name between two.
    return rows.filter(task__in=tasks, job_id=job_id).first()


def several(database: str, task: str, job_ids: Sequence[int]) -> dict[int, JobInfo]:
    """Those of these jobs that have rows, by id. Raises django.db.Error."""
    found = {}
    for start in range(0, len(job_ids), SLICE):
        rows = JobRecord.objects.using(database).filter(task=task, job_id__in=job_ids[start : start + SLICE])
        found.update({row.job_id: draw(row) for row in rows})
    return found


def of_others(database: str, task: str, job_ids: Sequence[int], owner: int) -> set[int]:
    """Those of these jobs whose rows belong to somebody else. Raises django.db.Error."""
    found: set[int] = set()
    for start in range(0, len(job_ids), SLICE):
        rows = JobRecord.objects.using(database).filter(task=task, job_id__in=job_ids[start : start + SLICE])
        found.update(rows.exclude(owner=owner).values_list("job_id", flat=True))
    return found


def failures(database: str, task: str, job_id: int) -> QuerySet[JobRecord]:
    """The row of a job, as long as it is a failure."""
    return JobRecord.objects.using(database).filter(task=task, job_id=job_id, status=JobStatus.FAILURE)


def is_known(database: str, task: str, job_id: int) -> bool:
    """Whether the task has a row with this id. Raises django.db.Error."""
    return JobRecord.objects.using(database).filter(task=task, job_id=job_id).exists()


def draw(row: JobRecord, *, light: bool = False) -> JobInfo:
    """A picture of a recorded job. What was changed by hand into what can't be read is left out.

    `light`: without its result and traceback, which the row needn't have read.
    """
    args, kwargs = _arguments(row.args)
    status = NAMES.get(row.status, "FAILURE")
    error = None
    if status == "FAILURE":
        error = JobError(
            kind=row.kind or "lost",
            type=row.error_type,
            message=row.error,
            traceback="" if light else row.traceback,
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
        response=error.message if error else None if light else _result(row.result),
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
