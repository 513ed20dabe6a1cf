"""What the verbs of `manage.py tasks` do that look at recorded jobs: all that a command can see of other processes."""

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error

from yao_tasks import conf, loading
from yao_tasks.core.errors import JobElsewhere, JobNotFound, TaskNotFound
from yao_tasks.core.faults import printable
from yao_tasks.core.jobs import JobInfo
from yao_tasks.management.answers import Answer, NotVisible, UsageError, table
from yao_tasks.pools import Pool, tasks

DAY = 86_400
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": DAY, "w": 7 * DAY}
# The exit code of a job that failed, and of what couldn't be done.
FAILED = 1


def run_jobs(task: str | None, status: str | None, kind: str | None, text: str | None, limit: int) -> Answer:
    """The recorded jobs that fit, the newest first."""
    pools = [_recorded(task)] if task else [tasks[one] for one in _all_recorded()]
    try:
        found = [
            info for pool in pools for info in pool.search(status=status, kind=kind, text=text, limit=limit)
        ]
    except (ValueError, TypeError) as error:
        raise UsageError(str(error).replace("search(", "--", 1).replace(")", "", 1)) from error
    found.sort(key=lambda info: (info.added_at, info.id), reverse=True)
    found = found[:limit]
    lines = list(table(_HEADS, map(_cells, found))) if found else ["No recorded job fits."]
    return Answer(lines=lines, data=[data_of(info) for info in found])


def run_get(task: str, job: int) -> Answer:
    """One recorded job."""
    info = _found(_recorded(task), job)
    return Answer(lines=list(lines_of(info)), data=data_of(info))


def run_wait(task: str, job: int, timeout: float | None) -> Answer:
    """Wait for the end of a recorded job, which another process runs."""
    pool = _recorded(task)
    _found(pool, job)
    try:
        info = pool.wait(job, timeout)
    except TimeoutError as error:
        return Answer(lines=[str(error)], data=data_of(pool.get(job)), code=FAILED)
    return Answer(lines=list(lines_of(info)), data=data_of(info), code=_code(info))


def run_cancel(task: str, job: int) -> Answer:
    """Cancel a recorded job, as far as that can be done from here."""
    pool = _recorded(task)
    info = _found(pool, job)
    try:
        done = pool.cancel(job)
    except JobElsewhere as error:
        raise NotVisible(str(error)) from error
    line = f"Job {job} is cancelled." if done else f"Job {job} has ended already: {info.status}."
    return Answer(lines=[line], data={"id": job, "cancelled": done}, code=0 if done else FAILED)


def run_retry(task: str, job: int) -> Answer:
    """Run a recorded failure again: a durable one where such jobs run, any other here, which is waited for."""
    pool = _recorded(task)
    _found(pool, job)
    try:
        pool.retry(job)
    except JobElsewhere as error:
        raise NotVisible(str(error)) from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    if pool.config.durable:
        return Answer(lines=[f"Job {job} is to run again."], data=data_of(pool.get(job)))
    info = pool.wait(job)
    return Answer(lines=list(lines_of(info)), data=data_of(info), code=_code(info))


def run_prune(older_than: str | None, keep: int | None, *, dry_run: bool) -> Answer:
    """Delete rows of ended jobs: those that are older, and those that are too many."""
    from yao_tasks.journal import pruning

    settings = conf.current()
    bounds = pruning.Keep(days=None if older_than is None else seconds_of(older_than) / DAY, most=keep)
    if older_than is None and keep is None:
        bounds = pruning.Keep(days=settings.record_days, most=settings.record_max)
    now = time.time()
    if dry_run:
        count = pruning.too_many(settings.database, bounds, now).count()
        return Answer(lines=[f"{count:,} rows would go."], data={"rows": count, "deleted": 0})
    count = sum(pruning.prune(settings.database, bounds, now))
    pruning.forget_workflows(settings.database, bounds, now)
    return Answer(lines=[f"{count:,} rows are gone."], data={"rows": count, "deleted": count})


def seconds_of(text: str) -> float:
    """Seconds that a text such as `30d`, `12h` or `90` (seconds) means. UsageError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw]?)", text.strip())
    if found is None:
        raise UsageError(f"--older-than is {text}. Give a number with s, m, h, d or w, such as 30d.")
    return float(found[1]) * UNITS[found[2] or "s"]


def _recorded(task: str) -> Pool:
    """The pool of a recorded task. UsageError where there is no such task, NotVisible where it isn't recorded."""
    try:
        definition = loading.definition_of(task)
        pool = tasks[task]
    except (TaskNotFound, ImproperlyConfigured) as error:
        raise UsageError(str(error)) from error
    if not definition.is_recorded:
        raise NotVisible(
            f'The jobs of "{task}" live in the memory of the processes that added them, and can\'t be seen from a '
            'command. "record": true in its definition writes them to the database.'
        )
    return pool


def _all_recorded() -> Sequence[str]:
    found = [one.id for one in loading.loaded().definitions.values() if one.is_recorded]
    if not found:
        raise NotVisible(
            'No task is recorded. "record": true in a definition writes its jobs to the database.'
        )
    return found


def _found(pool: Pool, job: int) -> JobInfo:
    try:
        return pool.get(job)
    except JobNotFound as error:
        raise UsageError(str(error)) from error
    except Error as error:
        raise UsageError(f"The history can't be read: {str(error).strip()}. Is it migrated?") from error


_HEADS = ("id", "task", "status", "attempt", "added", "ended", "message")


def _cells(info: JobInfo) -> tuple[str, ...]:
    said = info.error.message if info.error else info.message
    ended = "" if info.ended_at is None else f"{info.ended_at:%Y-%m-%d %H:%M:%S}"
    added = f"{info.added_at:%Y-%m-%d %H:%M:%S}"
    return (str(info.id), info.task, info.status, str(info.attempt), added, ended, printable(said)[:80])


def lines_of(info: JobInfo) -> Iterator[str]:
    """A job, for people."""
    yield f"{info.id} of {info.task}: {info.status} after run {info.attempt}"
    yield f"added {info.added_at}, started {info.started_at or '-'}, ended {info.ended_at or '-'}"
    if info.total or info.message:
        yield f"{info.current:g} of {info.total:g} ({info.percent} %) {info.message}"
    if info.error is not None:
        yield f"{info.error.kind}: {info.error.type}: {info.error.message}"


def data_of(info: JobInfo) -> dict[str, Any]:
    """What programs get: arguments and result are for those who may see them, in the admin."""
    data = info.as_dict()
    for secret in ("args", "kwargs", "response"):
        data.pop(secret)
    return data


def _code(info: JobInfo) -> int:
    return 0 if info.status == "SUCCESS" else FAILED
