"""Recorded jobs in order, a page at a time: first where each stands, then the few rows that are drawn.

Each look follows one index from its end, and takes as many entries as the page has: a million rows more cost nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from yao_tasks.core.jobs import CODES
from yao_tasks.core.queries import Query
from yao_tasks.journal.sql import aware, in_utc
from yao_tasks.models import JobRecord, JobStatus

Place = tuple[float, int]
"""Where a job stands: the moment by which it is ordered (seconds since 1970; inf: it has not ended), and its id."""

Rows = QuerySet[JobRecord]

LIVE = (JobStatus.WAITING, JobStatus.RUNNING)
ENDED = (JobStatus.SUCCESS, JobStatus.FAILURE)


def places(
    database: str,
    task: str,
    query: Query,
    *,
    is_known: Callable[[int], bool],
    last: Place | None,
    most: int,
) -> list[Place]:
    """Where at most so many rows stand that fit, in the query's order. Raises django.db.Error.

    Left out are the jobs that memory knows better. `last`: from memory the page is full up to there.
    """
    found: list[Place] = []
    for rows, column in _looks(_fitting(database, task, query), query, last):
        if not column and len(found) >= most and not query.order.startswith("-"):
            # What has not ended comes last, and there is no room for it.
            break
        found += _taken(rows, column, is_known, most, last)
    return sorted(found, reverse=query.order.startswith("-"))[:most]


def rows_of(database: str, task: str, ids: Sequence[int]) -> dict[int, JobRecord]:
    """The rows of these jobs, by id; without those that are gone meanwhile. Raises django.db.Error."""
    rows = JobRecord.objects.using(database).filter(task=task, job_id__in=ids) if ids else ()
    return {row.job_id: row for row in rows}


def tasks_of(database: str, most: int = 200) -> list[str]:
    """The tasks that have rows, of releases long gone, too. Raises django.db.Error."""
    rows, found = JobRecord.objects.using(database).order_by("task").values_list("task", flat=True), [""]
    # From each to the next in an index: a DISTINCT would read all of it.
    while len(found) <= most and (task := rows.filter(task__gt=found[-1]).first()) is not None:
        found.append(task)
    return found[1:]


def _fitting(database: str, task: str, query: Query) -> Rows:
    rows = JobRecord.objects.using(database).filter(task=task)
    match query.phase:
        case "retrying":
            rows = rows.filter(status=JobStatus.WAITING, attempt__gt=0, due_at__isnull=False)
        case "delayed":
            rows = rows.filter(status=JobStatus.WAITING, attempt=0, due_at__isnull=False)
        case "ready":
            rows = rows.filter(status=JobStatus.WAITING, due_at__isnull=True)
    if query.status is not None:
        rows = rows.filter(status=CODES[query.status])
    if query.kind is not None:
        rows = rows.filter(status=JobStatus.FAILURE, kind=query.kind)
    if query.since is not None:
        rows = rows.filter(added_at__gte=aware(query.since.timestamp()))
    if query.until is not None:
        rows = rows.filter(added_at__lt=aware(query.until.timestamp()))
    return rows if query.text is None else rows.filter(_has(query.text))


def _has(text: str) -> Q:
    found = Q(message__icontains=text) | Q(error__icontains=text) | Q(error_type__icontains=text)
    found |= Q(args__icontains=text)
    return found | Q(job_id=int(text)) if text.isascii() and text.isdigit() and len(text) < 17 else found


def _looks(rows: Rows, query: Query, last: Place | None) -> Iterator[tuple[Rows, str]]:
    """Parts of the rows, each in an order that an index has, and the column of that order."""
    backward = query.order.startswith("-")
    sign, compare = ("-", "gte") if backward else ("", "lte")
    bound: dict[str, Any] = {}
    if query.order.endswith("added_at"):
        if last is not None:
            bound = {f"added_at__{compare}": aware(last[0])}
        yield rows.filter(**bound).order_by(f"{sign}added_at", f"{sign}job_id"), "added_at"
        return
    # What has not ended counts as ending last.
    if not (_is_live(last) and backward):
        if last is not None and not _is_live(last):
            bound = {f"ended_at__{compare}": aware(last[0])}
        for status in ENDED:
            part = rows.filter(status=status, ended_at__isnull=False, **bound)
            yield part.order_by(f"{sign}ended_at", f"{sign}job_id"), "ended_at"
    if last is None or _is_live(last) or backward:
        bound = {f"job_id__{compare}": last[1]} if last is not None and _is_live(last) else {}
        yield rows.filter(status__in=LIVE, **bound).order_by(f"{sign}job_id"), ""


def _is_live(last: Place | None) -> bool:
    return last is not None and last[0] == float("inf")


def _taken(
    rows: Rows, column: str, is_known: Callable[[int], bool], most: int, last: Place | None
) -> list[Place]:
    """The first so many of a look that memory doesn't know; most often all of those are among the first few."""
    found: list[Place] = []
    first, size = 0, most + 50
    entries = rows.values_list(column, "job_id") if column else rows.values_list("job_id", "job_id")
    while True:
        looked_at = [(_seconds(moment, column), job_id) for moment, job_id in entries[first : first + size]]
        found += [place for place in looked_at if not is_known(place[1])]
        if len(looked_at) < size or len(found) >= most or _is_beyond(looked_at, last):
            return found[:most]
        first, size = first + size, 2 * size


def _is_beyond(looked_at: Sequence[Place], last: Place | None) -> bool:
    """Whether what comes now has no room in the page: thousands may have been added at one moment."""
    if last is None:
        return False
    backward = looked_at[0] > looked_at[-1]
    return looked_at[-1] < last if backward else looked_at[-1] > last


def _seconds(moment: datetime | Any, column: str) -> float:
    return (in_utc(moment) or datetime.max.replace(tzinfo=UTC)).timestamp() if column else float("inf")
