"""Recorded jobs in the admin's own list: what is shown of a row, who may see it, and what can be found and done."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin import AdminSite
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext

from yao_tasks import loading
from yao_tasks.core.jobs import SUCCESS_NAME, JobInfo
from yao_tasks.dashboard.bulk import carry_out, skipped
from yao_tasks.dashboard.changelist import LARGE
from yao_tasks.dashboard.durations import measured
from yao_tasks.dashboard.failures import end_of, start_of
from yao_tasks.dashboard.filters import Filter
from yao_tasks.dashboard.finding import MOST, matcher
from yao_tasks.dashboard.job import TRACEBACK_LENGTH
from yao_tasks.dashboard.listing import usable
from yao_tasks.dashboard.names import JOB, VIEW_JOB_ARGS
from yao_tasks.dashboard.statuses import status_of
from yao_tasks.dashboard.steering import WARNING, Answer
from yao_tasks.dashboard.verbs import VERBS
from yao_tasks.journal.reading import draw
from yao_tasks.journal.searching import tasks_of
from yao_tasks.models import JobRecord
from yao_tasks.redaction import Redaction

# A text is looked for in so many rows, or until the time is over (s).
LOOKED_AT = 2_000
SLICE = 200
PATIENCE = 0.05
MESSAGE_LENGTH = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One row as pages may show it: secrets masked."""

    info: JobInfo
    status: str
    error: str
    message: str
    arguments: str
    result: str
    traceback: str


def shown(row: JobRecord) -> Shown:
    """What there is to show of a row."""
    info, redaction = draw(row), redaction_of(row.task)
    hide, error = redaction.hider(info), info.error
    arguments = "\n".join(f"{name} = {value}" for name, value in redaction.arguments(info))
    return Shown(
        info=info,
        status=status_of(info).word,
        error=hide(f"{error.type}: {error.message}") if error else "",
        message=hide(info.message),
        arguments=arguments,
        result=hide(redaction.result(info.response)) if info.status == SUCCESS_NAME else "",
        traceback=end_of(hide(error.traceback), TRACEBACK_LENGTH) if error else "",
    )


def standing(row: JobRecord) -> str:
    """How the job stands, in the reader's words."""
    return status_of(draw(row, light=True)).word


def took(row: JobRecord) -> str:
    """How long the last run took; empty where it goes on, or there was none."""
    if row.started_at is None or row.ended_at is None:
        return ""
    return measured(max(0.0, (row.ended_at - row.started_at).total_seconds()))


def said_last(row: JobRecord) -> str:
    """What the job said last, for one line of the list; for a failure its error."""
    info, redaction = draw(row, light=True), redaction_of(row.task)
    said = f"{info.error.type.rpartition('.')[2]}: {info.error.message}" if info.error else info.message
    return start_of(redaction.hider(info)(said), MESSAGE_LENGTH)


def redaction_of(task: str) -> Redaction:
    """What may be shown of a task's jobs; of one that there is no more, too."""
    return Redaction(loading.loaded().definitions.get(task))


def job_link(row: JobRecord, site: AdminSite) -> str:
    """A link to the job's page in the dashboard."""
    try:
        url = reverse(f"admin:{JOB}", args=[row.task, row.job_id], current_app=site.name)
    except NoReverseMatch:  # what was written by hand may be no task's name
        return str(row.job_id)
    return format_html('<a href="{}">{}</a>', url, row.job_id)


def find(
    request: HttpRequest, rows: QuerySet[JobRecord], text: str
) -> tuple[QuerySet[JobRecord], datetime | None]:
    """The rows that have the text, in what the reader may see of it; and from when on it is to be looked further.

    An id is found by an index. A text is looked for in the newest rows; None: in all there are.
    """
    digits = text.strip().removeprefix("id:").strip()
    if digits.isascii() and digits.isdigit() and len(digits) <= 18:
        # By task and id there is an index, by the id alone there is none.
        by_id = rows.filter(task__in=tasks_of(rows.db), job_id=int(digits))
        if text.strip() != digits or by_id.exists():
            return by_id, None
    wanted = Filter(q=text.strip())
    fits = matcher(wanted, may_see_args=request.user.has_perm(VIEW_JOB_ARGS))
    found: list[int] = []
    redactions: dict[str, Redaction] = {}
    until, last, count = time.monotonic() + PATIENCE, None, 0
    for row in _newest(rows):
        count, last = count + 1, row.added_at
        if row.task not in redactions:
            redactions[row.task] = redaction_of(row.task)
        if fits(redactions[row.task], draw(row, light=True)):
            found.append(row.pk)
        if count >= LOOKED_AT or (count % SLICE == 0 and time.monotonic() > until):
            break
    else:
        last = None
    return rows.filter(pk__in=found), last


def _newest(rows: QuerySet[JobRecord]) -> Iterator[JobRecord]:
    newest = rows.defer(*LARGE).order_by("-added_at", "-pk")
    for first in range(0, LOOKED_AT, SLICE):
        part = list(newest[first : first + SLICE])
        yield from part
        if len(part) < SLICE:
            return


def retry(request: HttpRequest, rows: QuerySet[JobRecord]) -> Answer:
    """Have the failures among these rows run again, as the dashboard does."""
    by_task = {reading.config.id: reading for reading in usable()}
    chosen = list(rows.order_by("added_at")[:MOST])
    found = [(by_task[row.task], draw(row, light=True)) for row in chosen if row.task in by_task]
    level, sentence = carry_out(request, VERBS["retry"], found)
    if len(found) == len(chosen):
        return level, sentence
    return WARNING, f"{sentence} {skipped(gettext('its task is gone.'), len(chosen) - len(found))}"
