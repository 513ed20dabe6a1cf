"""The list of jobs: tabs, filters, a page of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from yao_tasks.core.jobs import RUNNING_NAME, JobInfo
from yao_tasks.dashboard.amounts import amount_of
from yao_tasks.dashboard.counts import Counts
from yao_tasks.dashboard.durations import duration, measured, waited
from yao_tasks.dashboard.failures import start_of
from yao_tasks.dashboard.filters import WORDS, Filter, read_filter
from yao_tasks.dashboard.finding import PER_PAGE, Found, Page, find_page
from yao_tasks.dashboard.names import OPERATE_JOBS, VIEW_JOB_ARGS
from yao_tasks.dashboard.pages import page
from yao_tasks.dashboard.readings import Reading, read_all
from yao_tasks.dashboard.statuses import KINDS, status_of

# A row is a line or two; the job's page has all of it.
MESSAGE_LENGTH = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A status with the number of its jobs."""

    key: str
    word: str
    count: int
    query: str
    is_current: bool
    has_more: bool
    """Recorded jobs, which can't be counted just now, come on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the list."""

    id: int
    task: str
    icon: str
    status: str
    percent: int
    has_bar: bool
    amount: str
    message: str
    """What the job reported last; for a failure its error."""
    attempt: str
    added: datetime
    wait: str
    run: str
    moment: datetime | None
    """When it ended, or will run next."""
    worker: str
    """Its name without its task's, which stands in the same line."""


@page("jobs")
def _views(request: HttpRequest) -> dict[str, Any]:
    readings = usable()
    wanted = read_filter(request.GET)
    found = find_page(readings, wanted, may_see_args=request.user.has_perm(VIEW_JOB_ARGS))
    now = timezone.now()
    in_task = [one for one in readings if wanted.task in ("", one.config.id)]
    counts = Counts(in_task)
    tabs = tabs_of(in_task, wanted, counts)
    return {
        "title": gettext("Jobs"),
        "tab": "jobs",
        "wanted": wanted,
        "query": wanted.query(),
        "tabs": tabs,
        "counts_note": counts.note,
        "tasks": [one.config.id for one in readings],
        "is_known_task": not wanted.task or bool(in_task),
        "kinds": [(kind, str(word)) for kind, word in KINDS.items()],
        "today": timezone.localdate(now),
        "rows": [row_of(one, now) for one in found.found],
        "has_more": found.has_more,
        "goes_back": bool(found.further),
        "first": (found.number - 1) * PER_PAGE + 1,
        "last": (found.number - 1) * PER_PAGE + len(found.found),
        "total": next((tab.count for tab in tabs if tab.is_current and not tab.has_more), None)
        if wanted.is_by_tab_only
        else None,
        "is_end_of_merge": found.is_last_of_merge,
        "links": _links(wanted, found),
        "can_act": request.user.has_perm(OPERATE_JOBS) and bool(found.found),
        "can_delete": any("remove" in one.supports for one in in_task),
    }


jobs, jobs_fragment = _views


def usable() -> list[Reading]:
    """The pools that can be used, each asked once."""
    return [reading for reading in read_all() if isinstance(reading, Reading)]


def tabs_of(readings: Sequence[Reading], wanted: Filter, counts: Counts) -> list[Tab]:
    """The tabs, with the counts of these pools."""
    each = [counts.of(one) for one in readings]
    by_tab = {key: sum(one.get(key, 0) for one in each) for key in WORDS if key}
    by_tab[""] = sum(by_tab.values())
    return [
        Tab(
            key=key,
            word=str(word),
            count=by_tab[key],
            query=wanted.query(status=key, kind="" if key != "failed" else wanted.kind, page=1, back=0),
            has_more=counts.is_partial,
            is_current=key == (wanted.status or ("failed" if wanted.kind else "")),
        )
        for key, word in WORDS.items()
    ]


def row_of(found: Found, now: datetime) -> Row:
    """The job's line, as of `now`."""
    reading, info = found
    hide = reading.redaction.hider(info)
    status = status_of(info)
    said = info.message
    if info.error is not None:
        said = f"{info.error.type.rpartition('.')[2]}: {info.error.message}"
    return Row(
        id=info.id,
        task=info.task,
        icon=status.icon,
        status=status.word,
        percent=info.percent,
        has_bar=info.total > 0 and not info.is_finished,
        amount=amount_of(info),
        message=start_of(hide(said), MESSAGE_LENGTH),
        attempt=f"{info.attempt}/{max(info.attempt, reading.config.attempts + 1)}" if info.attempt else "",
        added=info.added_at,
        wait=_wait(info, now),
        run=_run(info, now),
        moment=info.ended_at or info.due_at,
        worker=(info.worker or "").removeprefix(f"{info.task}-"),
    )


def _wait(info: JobInfo, now: datetime) -> str:
    if not info.attempt and info.due_at is None and info.ended_at is None:
        return waited((now - info.added_at).total_seconds(), now)
    if info.attempt == 1 and info.started_at is not None:
        return measured(max(0.0, (info.started_at - info.added_at).total_seconds()))
    return ""


def _run(info: JobInfo, now: datetime) -> str:
    if info.started_at is None:
        return ""
    if info.status == RUNNING_NAME:
        return duration((now - info.started_at).total_seconds())
    if info.ended_at is not None:
        return measured(max(0.0, (info.ended_at - info.started_at).total_seconds()))
    return ""


def _links(wanted: Filter, found: Page) -> dict[str, str]:
    number = found.number
    newest = "added_at" if wanted.order == "-added_at" else "-added_at"
    ended = "ended_at" if wanted.order == "-ended_at" else "-ended_at"
    return {
        "before": wanted.query(page=number - 1) if number > 1 else "",
        "after": wanted.query(page=number + 1),
        "back": wanted.query(**found.further, page=1) if found.further else "",
        "by_added": wanted.query(order=newest, page=1, back=0),
        "by_ended": wanted.query(order=ended, page=1, back=0),
        "csv": wanted.query(page=1, back=0) + "&format=csv",
        "json": wanted.query(page=1, back=0) + "&format=json",
    }
