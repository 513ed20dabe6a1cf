"""The page of one job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.utils import quote
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from yao_tasks import boot, conf
from yao_tasks.core.diary import Line, diary
from yao_tasks.core.errors import JobElsewhere, JobNotFound
from yao_tasks.core.jobs import FAILURE_NAME, SUCCESS_NAME, JobInfo
from yao_tasks.dashboard.amounts import amount_of
from yao_tasks.dashboard.durations import duration, limit, measured
from yao_tasks.dashboard.failures import end_of
from yao_tasks.dashboard.names import OPERATE_JOBS, VIEW_JOB_ARGS
from yao_tasks.dashboard.pages import DatabaseErrors, NoPage, page
from yao_tasks.dashboard.statuses import failure, status_of
from yao_tasks.dashboard.steering import pool_that_can
from yao_tasks.dashboard.timeline import Run, recorded_runs, runs_of, timeline
from yao_tasks.pools import Pool
from yao_tasks.redaction import Redaction

# What is shown of a traceback, from its end: deep ones are megabytes.
TRACEBACK_LENGTH = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the top of the page shows of a job as it is: never its arguments."""

    id: int
    attempt: int
    worker: str
    total: float
    percent: int
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One line of the table of attempts."""

    number: int
    icon: str
    status: str
    started: datetime
    took: str
    worker: str
    type: str
    message: str
    traceback: str
    """For those who may steer; empty where nothing was raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One line of the job's log."""

    moment: datetime
    level: str
    logger: str
    text: str


@page("job")
def _views(request: HttpRequest, *, task: str, job_id: int) -> dict[str, Any]:
    pool, info = find(task, job_id)
    now, hidden = timezone.now(), Redaction(pool.config)
    hide = hidden.hider(info)
    may_operate = request.user.has_perm(OPERATE_JOBS)
    runs = _runs(pool, info)
    shown = {
        "title": gettext("Job %(id)d of %(name)s") % {"id": job_id, "name": pool.config.name},
        "task": task,
        "info": Head(
            id=info.id,
            attempt=info.attempt,
            worker=info.worker or "",
            total=info.total,
            percent=info.percent,
            error_type=info.error.type if info.error else "",
        ),
        "status": status_of(info),
        "message": hide(info.message),
        "error_message": hide(info.error.message) if info.error else "",
        "amount": amount_of(info),
        "elapsed": _elapsed(info, now),
        "left": duration(info.eta) if info.eta else "",
        "limit": "" if info.is_finished else limit(pool.config.timeout),
        "attempts": pool.config.attempts + 1,
        "steps": timeline(info, runs, now),
        "runs": [_attempt_row(run, now, hide, may_operate=may_operate) for run in reversed(runs)],
        "forgotten": info.attempt - len(runs),
        "can": _actions(pool, info) if may_operate else {},
        # As the admin writes it in an address.
        "row_key": quote(f"{task}/{job_id}") if pool.supports & {"record", "durable"} else "",
    }
    if request.user.has_perm(VIEW_JOB_ARGS):
        shown["arguments"] = hidden.arguments(info)
        shown["has_result"] = info.status == SUCCESS_NAME
        shown["result"] = hide(hidden.result(info.response)) if shown["has_result"] else ""
        shown["log"] = _log(diary.lines(task, job_id), info, hide)
    return shown


job, job_fragment = _views


def find(task: str, job_id: int) -> tuple[Pool, JobInfo]:
    """The task's pool and a picture of the job. NoPage, with a sentence that says where it may be."""
    pool = pool_that_can("get", task)
    try:
        return pool, pool.get(job_id)
    except JobElsewhere as error:
        # It names the process, and how to see all jobs.
        raise NoPage(str(error)) from error
    except JobNotFound as error:
        sentence = gettext("There is no job %(id)d of %(task)s here. It may have ended and been forgotten.")
        raise NoPage(sentence % {"id": job_id, "task": task}) from error


def _runs(pool: Pool, info: JobInfo) -> list[Run]:
    attempts = diary.attempts(pool.id, info.id)
    runs = runs_of(info, attempts)
    if len(runs) >= info.attempt or not pool.supports & {"record", "durable"}:
        return runs
    try:
        # In a block of its own: a failure inside the request's transaction would break that.
        with transaction.atomic(using=conf.current().database):
            past = boot.house().home.journal.past(pool.id, info.id)
    except DatabaseErrors:
        # What memory knows is better than nothing.
        return runs
    return runs if past is None else runs_of(info, attempts, recorded_runs(past.runs))


def _actions(pool: Pool, info: JobInfo) -> dict[str, bool]:
    can = pool.supports
    return {
        "cancel": "cancel" in can and not info.is_finished,
        "retry": "retry" in can and info.status == FAILURE_NAME,
        "duplicate": "add" in can,
        "delete": "remove" in can and info.is_finished,
    }


def _elapsed(info: JobInfo, now: datetime) -> str:
    if info.started_at is None or (info.ended_at is None and info.due_at is not None):
        return ""
    if info.ended_at is not None:
        return measured(max(0.0, (info.ended_at - info.started_at).total_seconds()))
    return duration(max(0.0, (now - info.started_at).total_seconds()))


def _attempt_row(run: Run, now: datetime, hide: Callable[[str], str], *, may_operate: bool) -> AttemptRow:
    icon, word = _outcome(run)
    error, took = run.error, run.seconds(now)
    return AttemptRow(
        number=run.number,
        icon=icon,
        status=word,
        started=run.started,
        took=duration(took) if run.ended is None else measured(took),
        worker=run.worker,
        type=error.type if error else "",
        message=hide(error.message) if error else "",
        traceback=end_of(hide(error.traceback), TRACEBACK_LENGTH) if error and may_operate else "",
    )


def _outcome(run: Run) -> tuple[str, str]:
    if run.error is not None:
        return failure(run.error.kind)
    if run.ended is None:
        return "running", gettext("Running")
    return "succeeded", gettext("Succeeded")


def _log(lines: Sequence[Line], info: JobInfo, hide: Callable[[str], str]) -> list[LogRow]:
    # An id may have been given to another job before.
    since = info.added_at.timestamp() - 0.001
    return [
        LogRow(
            moment=datetime.fromtimestamp(line.at, UTC),
            level=line.level,
            logger=line.logger,
            text=hide(line.text),
        )
        for line in lines
        if line.at >= since
    ]
