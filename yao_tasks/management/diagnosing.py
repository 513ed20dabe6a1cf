"""What `manage.py tasks check --run` adds, and `manage.py tasks debug`: what is wrong now, and all about one job."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error

from yao_tasks import boot, loading
from yao_tasks.core import load
from yao_tasks.core.definitions import Definition
from yao_tasks.core.diary import diary
from yao_tasks.core.errors import JobNotFound, TaskNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.diagnosis import Diagnosis, diagnose, health
from yao_tasks.diagnosis.health import Health
from yao_tasks.diagnosis.numbers import TaskNumbers
from yao_tasks.journal.runs import Runs
from yao_tasks.management import history
from yao_tasks.management.answers import Answer, UsageError, table
from yao_tasks.management.verbs import run_check as check_files
from yao_tasks.pools import tasks

# Exit codes.
WRONG, NOT_VISIBLE = 1, 4


def run_check(*, run: bool) -> Answer:
    """All that is wrong with settings, definitions and handlers; with --run, also what is wrong just now."""
    if not run:
        return check_files()
    began = time.monotonic()
    load.cpu_usage()
    checked = check_files()
    # How busy the processors are is told between two looks; a command has the time.
    time.sleep(max(0.0, began + load.CLOSEST - time.monotonic()))
    try:
        found = diagnose()
    except Error as error:
        raise UsageError(f"The history can't be read: {str(error).strip()}. Is it migrated?") from error
    wrong = WRONG if any(one.is_error for one in found.findings) else 0
    return Answer(
        lines=[*checked.lines, "", *_diagnosed(found)],
        data={
            "faults": checked.data,
            "findings": [asdict(one) for one in found.findings],
            "tasks": [{**asdict(one), "success_rate": one.success_rate} for one in found.tasks],
            "machine": asdict(found.machine),
        },
        code=checked.code or wrong,
    )


def _diagnosed(found: Diagnosis) -> Iterator[str]:
    yield from table(_HEADS, (_cells(one, found.healths.get(one.task)) for one in found.tasks))
    yield f"memory {found.machine.memory:.0%}, processors {found.machine.processors:.0%}"
    for one in found.findings:
        yield f"{'!' if one.is_error else '-'} {one.task or 'machine'}: {one.text} {one.advice}"
    if not found.findings:
        yield "Nothing is wrong."
    if unseen := [one.task for one in found.tasks if not one.is_of_all and not one.fault]:
        yield (
            f"Jobs of {', '.join(unseen)} live in the memory of the processes that added them, and can't be seen from "
            "here: the dashboard counts them."
        )


_HEADS = ("task", "handler", "waiting", "running", "worker_nums", "success", "run time")


def _cells(task: TaskNumbers, known: Health | None) -> tuple[str, ...]:
    handler = "unusable" if task.fault or known is None else "healthy" if known.is_good else "unhealthy"
    if known is not None and not known.is_asked and not task.fault:
        handler = "importable"
    if not task.is_of_all:
        return (task.task, handler, "?", "?", str(task.worker_nums), "?", "?")
    rate = "-" if task.success_rate is None else f"{task.success_rate:.1%}"
    took = "-" if task.run_time is None else f"{task.run_time:.2f} s"
    return (task.task, handler, str(task.waiting), str(task.running), str(task.worker_nums), rate, took)


def run_debug(task: str, job: int) -> Answer:
    """All that is known of one job: its state, its runs, its log lines, its task and its handler."""
    try:
        definition = loading.definition_of(task)
        pool = tasks[task]
        supports = pool.supports
    except (TaskNotFound, ImproperlyConfigured) as error:
        raise UsageError(str(error)) from error
    try:
        info = pool.get(job)
    except JobNotFound as error:
        if definition.is_recorded:
            raise UsageError(str(error)) from error
        # Its task can be told of all the same, as the original does.
        said = (
            f'Job {job} can\'t be seen: {error} Jobs of "{task}" live in the memory of the processes that added them; '
            "the dashboard shows them."
        )
        return Answer(
            lines=[said, *_task(definition), *_log(task, job)],
            data={"job": None, "task": dict(definition), "log": diary.search(f"task_{job}", 20)},
            code=NOT_VISIBLE,
        )
    except Error as error:
        raise UsageError(f"The history can't be read: {str(error).strip()}. Is it migrated?") from error
    runs = _runs(task, job) if supports & {"record", "durable"} else []
    return Answer(
        lines=[*_job(info), *_told(runs), *_log(task, job), *_task(definition)],
        data={
            "job": history.data_of(info),
            "runs": runs,
            "log": diary.search(f"task_{job}", 20),
            "task": dict(definition),
        },
    )


def _job(info: JobInfo) -> Iterator[str]:
    yield from history.lines_of(info)
    if info.due_at is not None:
        yield f"due {info.due_at}"
    if info.worker:
        yield f"worker {info.worker}"
    if info.error is not None and info.error.traceback:
        yield from info.error.traceback.rstrip().splitlines()


def _runs(task: str, job: int) -> Runs:
    past = boot.house().home.journal.past(task, job)
    return [] if past is None else past.runs


def _told(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    for run in runs:
        yield (
            f"run {run.get('attempt')}: {run.get('started')} to {run.get('ended')}, "
            f"{run.get('kind')}: {run.get('type')}: {run.get('message')}"
        )


def _log(task: str, job: int) -> Iterator[str]:
    lines = diary.lines(task, job)
    for line in lines:
        yield f"{datetime.fromtimestamp(line.at, UTC):%Y-%m-%d %H:%M:%S} {line.level} {line.logger}: {line.text}"
    if not lines:
        yield "log: no lines here; they are kept in the memory of the process that ran it."


def _task(definition: Definition) -> Iterator[str]:
    known = health.ask_all([definition]).get(definition.id)
    yield f"definition {definition.path}"
    yield from (f"  {key}: {value}" for key, value in definition.items() if value not in (None, {}, ()))
    if known is None:
        yield "handler: can't be imported"
    elif not known.is_asked:
        yield "handler: can be imported; it has no health_check beside it"
    elif known.is_late:
        yield f"handler: its health_check has not answered for {health.SECONDS:g} s"
    else:
        yield f"handler: {known.error or 'healthy'}"
