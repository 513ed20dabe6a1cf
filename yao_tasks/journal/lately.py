"""How the recorded jobs that ended lately ended, and how long they ran."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Q

from yao_tasks.models import JobRecord, JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """The jobs of one task."""

    succeeded: int = 0
    failed: int = 0
    run_time: float | None = None
    """Seconds that the last run of each took, on average; None where none has run."""


NOTHING = Lately()


def ended(database: str, since: datetime) -> dict[str, Lately]:
    """By task: those that ended at `since` or later. Raises django.db.Error."""
    rows = JobRecord.objects.using(database).order_by().filter(ended_at__gte=since)
    took = ExpressionWrapper(F("ended_at") - F("started_at"), output_field=DurationField())
    groups = rows.values("task").annotate(
        count=Count("pk"),
        good=Count("pk", filter=Q(status=JobStatus.SUCCESS)),
        average=Avg(took, filter=Q(started_at__isnull=False)),
    )
    return {
        one["task"]: Lately(
            succeeded=one["good"], failed=one["count"] - one["good"], run_time=_seconds(one["average"])
        )
        for one in groups
    }


def _seconds(average: timedelta | None) -> float | None:
    return None if average is None else max(0.0, average.total_seconds())
