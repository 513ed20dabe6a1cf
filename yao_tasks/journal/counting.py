"""How many recorded jobs there are, by task and how they stand. A look at each row's entry in an index, no more."""

from collections import Counter

from django.db.models import BooleanField, Case, Count, QuerySet, Value, When

from yao_tasks.journal.searching import LIVE
from yao_tasks.models import JobRecord, JobStatus

Counts = dict[str, Counter[str]]
"""By task: `running`, `waiting`, `retrying`, `delayed`; `succeeded`, `failed`, and failures by kind."""


def live(database: str) -> Counts:
    """Those that wait or run, in whichever process. Raises django.db.Error."""
    found: Counts = {}
    is_due, has_run = _is_so(due_at__isnull=True), _is_so(attempt__gt=0)
    groups = _rows(database).filter(status__in=LIVE).annotate(is_due=is_due, has_run=has_run)
    for task, status, due, run, count in groups.values_list("task", "status", "is_due", "has_run").annotate(
        count=Count("pk")
    ):
        waits = "waiting" if due else "retrying" if run else "delayed"
        phase = "running" if status == JobStatus.RUNNING else waits
        found.setdefault(task, Counter())[phase] += count
    return found


def ended(database: str) -> Counts:
    """Those that have ended. With a million rows this takes some 100 ms. Raises django.db.Error."""
    found: Counts = {}
    # Without a condition: then an index has all that is asked for.
    for task, status, count in _rows(database).values_list("task", "status").annotate(count=Count("pk")):
        if status == JobStatus.SUCCESS:
            found.setdefault(task, Counter())["succeeded"] = count
    failures = _rows(database).filter(status=JobStatus.FAILURE)
    for task, kind, count in failures.values_list("task", "kind").annotate(count=Count("pk")):
        found.setdefault(task, Counter()).update({"failed": count, kind or "lost": count})
    return found


def mark(database: str) -> tuple[object, ...]:
    """Something else as soon as a job has come, started or ended, as far as the ends of indexes tell.

    Not where a failure is tried again, or a row deleted. Raises django.db.Error.
    """
    rows = _rows(database)
    return (
        rows.order_by("-pk").values_list("pk", flat=True).first(),
        rows.filter(ended_at__isnull=False).order_by("-ended_at").values_list("ended_at", flat=True).first(),
        rows.filter(status=JobStatus.RUNNING).count(),
    )


def _rows(database: str) -> QuerySet[JobRecord]:
    return JobRecord.objects.using(database).order_by()


def _is_so(**condition: object) -> Case:
    return Case(When(**condition, then=Value(True)), default=Value(False), output_field=BooleanField())
