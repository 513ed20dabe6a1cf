"""The list of jobs: tabs, filters, a page of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from yao_tasks.core.jobs import RUNNING_NAME, JobInfo
from yao_tasks.dashboard.durations import duration, measured
from yao_tasks.dashboard.failures import start_of
from yao_tasks.dashboard.filters import WORDS, Filter, read_filter
from yao_tasks.dashboard.finding import MERGED_PAGES, PER_PAGE, Found, find_page
from yao_tasks.dashboard.jobs import amount_of
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
    """Recorded jobs, which nobody has counted, come on top."""


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
    tabs = tabs_of(in_task, wanted)
    return {
        "title": gettext("Jobs"),
        "tab": "jobs",
        "wanted": wanted,
        "query": wanted.query(),
        "tabs": tabs,
        "tasks": [one.config.id for one in readings],
        "is_known_task": not wanted.task or bool(in_task),
        "kinds": [(kind, str(word)) for kind, word in KINDS.items()],
        "today": timezone.localdate(now),
        "rows": [row_of(one, now) for one in found.found],
        "has_more": found.has_more,
        "goes_back": found.goes_back,
        "first": (found.number - 1) * PER_PAGE + 1,
        "last": (found.number - 1) * PER_PAGE + len(found.found),
        "total": next((tab.count for tab in tabs if tab.is_current and not tab.has_more), None)
        if wanted.is_by_tab_only
        else None,
        "is_end_of_merge": found.number == MERGED_PAGES and len(in_task) > 1,
        "links": _links(wanted, found.number),
        "can_act": request.user.has_perm(OPERATE_JOBS) and bool(found.found),
    }


jobs, jobs_fragment = _views


def usable() -> list[Reading]:
    """The pools that can be used, each asked once."""
    return [reading for reading in read_all() if isinstance(reading, Reading)]


def tabs_of(readings: Sequence[Reading], wanted: Filter) -> list[Tab]:
    """The tabs, with the counts of these pools."""
    counts = dict.fromkeys(WORDS, 0)
    for reading in readings:
        for key, count in counts_of(reading.metrics).items():
            counts[key] += count
    counts[""] = sum(counts.values())
    return [
        Tab(
            key=key,
            word=str(word),
            count=counts[key],
            query=wanted.query(status=key, kind="" if key != "failed" else wanted.kind, page=1, back=0),
            has_more=any(one.is_recorded for one in readings) and key != "running",
            is_current=key == (wanted.status or ("failed" if wanted.kind else "")),
        )
        for key, word in WORDS.items()
    ]


def counts_of(metrics: Mapping[str, Any]) -> dict[str, int]:
    """How many jobs each tab of one pool has."""
    kept = metrics["kept"]
    return {
        "running": metrics["running"],
        "waiting": max(0, metrics["waiting"] - metrics["delayed"]),
        "retrying": metrics["retrying"],
        "delayed": max(0, metrics["delayed"] - metrics["retrying"]),
        "succeeded": kept["succeeded"],
        "failed": sum(kept.values()) - kept["succeeded"],
    }


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
        return duration((now - info.added_at).total_seconds())
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


def _links(wanted: Filter, number: int) -> dict[str, str]:
    newest = "added_at" if wanted.order == "-added_at" else "-added_at"
    ended = "ended_at" if wanted.order == "-ended_at" else "-ended_at"
    return {
        "before": wanted.query(page=number - 1) if number > 1 else "",
        "after": wanted.query(page=number + 1),
        "back": wanted.query(back=wanted.back + 1, page=1),
        "by_added": wanted.query(order=newest, page=1, back=0),
        "by_ended": wanted.query(order=ended, page=1, back=0),
        "csv": wanted.query(page=1, back=0) + "&format=csv",
        "json": wanted.query(page=1, back=0) + "&format=json",
    }
