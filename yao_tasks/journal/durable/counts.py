"""Counting durable jobs, up to a bound: what lies beyond it nobody asks for. Each raises django.db.Error."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F, QuerySet

from yao_tasks.models import JobRecord, JobStatus, PausedTask


def live(database: str, tasks: Sequence[str]) -> "QuerySet[JobRecord]":
    """The rows of jobs that have not ended."""
    alive = (JobStatus.WAITING, JobStatus.RUNNING)
    return JobRecord.objects.using(database).filter(status__in=alive, task__in=tasks, durable=True)


def waiting(database: str, tasks: Sequence[str], most: int) -> int:
    """How many wait for their first run; those between two runs have had a place."""
    rows = live(database, tasks).filter(status=JobStatus.WAITING, attempt__lte=F("base"))
    return rows[:most].count()


def running(database: str, tasks: Sequence[str], most: int) -> int:
    """How many run."""
    return live(database, tasks).filter(status=JobStatus.RUNNING)[:most].count()


Waiting = tuple[int, int, datetime | None]
"""How many wait, how many of these are not due yet, and since when the oldest that could run has waited."""


def all_waiting(database: str, tasks: Sequence[str], now: datetime, most: int) -> Waiting:
    """What waits of a task, all of it."""
    rows = live(database, tasks).filter(status=JobStatus.WAITING)
    delayed = rows.filter(due_at__gt=now)[:most].count()
    oldest = rows.exclude(due_at__gt=now).order_by("pk").values_list("added_at", flat=True).first()
    return rows[:most].count(), delayed, oldest


def is_paused(database: str, task: str) -> bool:
    """Whether somebody has paused the task, for all processes."""
    return PausedTask.objects.using(database).filter(task=task).exists()
