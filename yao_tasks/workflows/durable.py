"""Workflows of durable tasks: rows, which any process goes on with."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from yao_tasks import boot
from yao_tasks.core.calls import PREVIOUS, Call, alike, places_of
from yao_tasks.core.failures import cancelled
from yao_tasks.core.flows import BATCH, CHAIN, StepInfo, WorkflowInfo, WorkflowLine, counted
from yao_tasks.core.jobs import JobError
from yao_tasks.engines.base import DEFAULTS, Arguments
from yao_tasks.engines.durable.steering import DurableSteering
from yao_tasks.journal.durable import dialects, flows
from yao_tasks.journal.durable.flows import NAMES, members, states
from yao_tasks.journal.sql import in_utc
from yao_tasks.models import JobRecord, JobStatus, WorkflowRecord

# Who waits looks so often: at first, and in the end (s).
LOOKS = (0.01, 0.25)


class DurableFlow:
    """One workflow, by its row. Any thread may call any method; each raises django.db.Error."""

    def __init__(self, database: str, flow_id: int) -> None:
        self.database = database
        self.id = flow_id

    def info(self) -> WorkflowInfo | None:
        """A picture of it; None where it has no row."""
        record = WorkflowRecord.objects.using(self.database).filter(flow_id=self.id).first()
        return None if record is None else _drawn(self.database, record)

    def wait(self, timeout: float | None) -> WorkflowInfo | None:
        """Look until it has ended. None where it has no row. TimeoutError."""
        until, pause = None if timeout is None else time.monotonic() + timeout, LOOKS[0]
        rows = WorkflowRecord.objects.using(self.database).filter(flow_id=self.id)
        while rows.filter(state=JobStatus.RUNNING).exists():
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"The workflow {self.id} has not ended within {timeout:g} s.")
            time.sleep(pause if until is None else max(0.0, min(pause, until - time.monotonic())))
            pause = min(LOOKS[1], pause * 1.2)
        return self.info()

    def cancel(self) -> bool:
        """End it, and its live jobs. False if it has ended."""
        # First its jobs, as who ends one of them locks rows, too.
        self._cancel_jobs()
        now = dialects.now(connections[self.database])
        ended = flows.end(self.database, self.id, cancelled("The workflow was cancelled."), now)
        # And what was added until then.
        self._cancel_jobs()
        return ended

    def _cancel_jobs(self) -> None:
        live = members(self.database, self.id).filter(status__in=flows.LIVE)
        for task in set(live.values_list("task", flat=True)):
            engine = boot.engine(task)
            assert isinstance(engine, DurableSteering)
            engine.cancel_members(self.id)


def latest(database: str, most: int) -> list[WorkflowLine]:
    """The last of them, the newest first, in one query. Raises django.db.Error."""
    lines = []
    for record in WorkflowRecord.objects.using(database).defer("steps", "result").order_by("-pk")[:most]:
        added_at = in_utc(record.added_at)
        assert added_at is not None
        lines.append(
            WorkflowLine(
                id=record.flow_id,
                kind=record.kind,
                status=NAMES[record.state],
                kind_of_failure=json.loads(record.error)["kind"] if record.error else "",
                succeeded=record.succeeded,
                failed=record.failed,
                total=record.total,
                added_at=added_at,
                ended_at=in_utc(record.ended_at),
            )
        )
    return lines


def start_chain(database: str, calls: Sequence[Call]) -> int:
    """Start a chain, in the caller's transaction if there is one. Answers its id."""
    flow_id = boot.house().home.ids.next()
    with transaction.atomic(using=database):
        _write(database, flow_id, CHAIN, len(calls), calls[1:])
        _add(flow_id, [0], calls)
    return flow_id


def fan_out(database: str, kind: str, calls: Sequence[Call], callback: Call | None) -> int:
    """Start a group or a batch, in the caller's transaction if there is one. Answers its id."""
    flow_id = boot.house().home.ids.next()
    with transaction.atomic(using=database):
        record = _write(database, flow_id, kind, len(calls), [] if callback is None else [callback])
        for steps in alike(calls):
            _add(flow_id, steps, calls)
        if not calls and callback is not None:
            record.position = 1
            args, kwargs = callback.filled(counted(()))
            _add(flow_id, [0], [replace(callback, args=args, kwargs=kwargs)])
        elif not calls:
            record.state, record.ended_at = JobStatus.SUCCESS, timezone.now()
            record.result = json.dumps(counted(()))
        record.save(using=database)
    return flow_id


def _write(database: str, flow_id: int, kind: str, total: int, later: Sequence[Call]) -> WorkflowRecord:
    return WorkflowRecord.objects.using(database).create(
        flow_id=flow_id,
        kind=kind,
        state=JobStatus.RUNNING,
        total=total,
        steps=json.dumps([_spec(one) for one in later], ensure_ascii=False),
        added_at=timezone.now(),
    )


def _add(flow_id: int, steps: Sequence[int], calls: Sequence[Call]) -> None:
    first = calls[steps[0]]
    options = replace(first.options or DEFAULTS, members=iter([(flow_id, step) for step in steps]))
    arguments: list[Arguments] = [(calls[step].args, dict(calls[step].kwargs)) for step in steps]
    boot.engine(first.task).add_many(arguments, options, partial=False)


def _spec(one: Call) -> Mapping[str, Any]:
    """A step that is added later, in JSON types."""
    options = one.options or DEFAULTS
    moment = options.run_after if isinstance(options.run_after, datetime) else None
    return {
        "task": one.task,
        "args": [None if value is PREVIOUS else value for value in one.args],
        "kwargs": {name: None if value is PREVIOUS else value for name, value in one.kwargs.items()},
        "previous": places_of(one),
        "priority": options.priority,
        "timeout": options.timeout,
        "run_after": None if moment is not None else options.run_after,
        "due_at": None if moment is None else moment.timestamp(),
        "expires": options.expires,
    }


def _drawn(database: str, record: WorkflowRecord) -> WorkflowInfo:
    rows = _steps_of(database, record) if record.kind != BATCH else _callback_of(database, record)
    counts = _counts(database, record)
    added_at = in_utc(record.added_at)
    assert added_at is not None
    error = JobError(**json.loads(record.error)) if record.error else None
    specs, total = json.loads(record.steps), record.total
    steps: list[StepInfo] = []
    if record.kind == CHAIN:
        steps = [_step(rows.get(step), specs[step - 1]["task"] if step else "") for step in range(total)]
    elif record.kind != BATCH:
        steps = [_step(rows.get(step), "") for step in range(total)]
    return WorkflowInfo(
        id=record.flow_id,
        kind=record.kind,
        status=_status(record, counts),
        current=_current(record, rows, counts),
        total=total,
        counts=counts,
        steps=tuple(steps),
        callback=_step(rows.get(total), specs[0]["task"]) if record.kind != CHAIN and specs else None,
        response=error.message if error else json.loads(record.result) if record.result else None,
        error=error,
        added_at=added_at,
        ended_at=in_utc(record.ended_at),
    )


_SHOWN = ("task", "job_id", "step", "status", "current", "total")


def _steps_of(database: str, record: WorkflowRecord) -> dict[int | None, JobRecord]:
    return {row.step: row for row in members(database, record.flow_id).only(*_SHOWN)}


def _callback_of(database: str, record: WorkflowRecord) -> dict[int | None, JobRecord]:
    return {
        row.step: row for row in members(database, record.flow_id).filter(step=record.total).only(*_SHOWN)
    }


def _counts(database: str, record: WorkflowRecord) -> dict[str, int]:
    if record.state != JobStatus.RUNNING or (record.kind != CHAIN and record.position):
        # Its rows may be gone by now.
        counts = counted(())
        counts["SUCCESS"], counts["FAILURE"] = record.succeeded, record.failed
    else:
        counts = states(database, record.flow_id, record.total)
    counts["WAITING"] += record.total - sum(counts.values())
    return counts


def _status(record: WorkflowRecord, counts: Mapping[str, int]) -> str:
    if record.state != JobStatus.RUNNING:
        return NAMES[record.state]
    return "WAITING" if counts["WAITING"] == record.total and record.total else "RUNNING"


def _current(
    record: WorkflowRecord, rows: Mapping[int | None, JobRecord], counts: Mapping[str, int]
) -> float:
    if record.kind != CHAIN:
        return counts["SUCCESS"] + counts["FAILURE"]
    row = rows.get(record.position)
    share = 0.0 if row is None or row.status != JobStatus.RUNNING else _share(row)
    return record.succeeded + share


def _step(row: JobRecord | None, task: str) -> StepInfo:
    if row is None:
        return StepInfo(task=task, job_id=None, status=None)
    status = NAMES.get(row.status, "FAILURE")
    percent = 100 if status == "SUCCESS" else int(100 * _share(row))
    return StepInfo(task=row.task, job_id=row.job_id, status=status, percent=percent)


def _share(row: JobRecord) -> float:
    return max(0.0, min(1.0, row.current / row.total)) if row.total > 0 else 0.0
