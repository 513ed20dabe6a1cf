"""Workflows of durable jobs: what follows a member's end is written in the transaction that writes the end.

Ends that nobody's worker made, as of jobs whose processes died, are found by a sweep: a workflow that runs and has no
live job is gone through again.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, Exists, OuterRef, QuerySet

from yao_tasks.core import strict
from yao_tasks.core.failures import cancelled, describe, lost
from yao_tasks.core.flows import BATCH, CHAIN, GROUP, counted, failure_of
from yao_tasks.core.jobs import CODES, JobError
from yao_tasks.journal.durable import drafts
from yao_tasks.journal.durable.drafts import Draft
from yao_tasks.journal.sql import aware
from yao_tasks.models import JobRecord, JobStatus, WorkflowRecord

LIVE = (JobStatus.WAITING, JobStatus.RUNNING)
NAMES = {code: name for name, code in CODES.items()}
# Workflows of one sweep, and tries to find ids that nobody else has given.
SLICE = 100
TRIES = 5

NextId = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a job is in its workflow."""

    flow: int
    step: int
    carried: str = ""
    """What it has carried over from the one who started it all, as its row holds that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a member has ended."""

    member: Member
    result: str = ""
    """JSON."""
    error: JobError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A job that was written as what follows."""

    task: str
    job_id: int
    due_at: float | None


def follow(
    connection: BaseDatabaseWrapper, ends: Sequence[End], *, now: float, next_id: NextId
) -> list[Added]:
    """Write what follows these ends, in the open transaction. Answers what was added. Raises django.db.Error.

    `now`: seconds since 1970, by the database's clock.
    """
    by_flow: dict[int, list[End]] = {}
    for end in ends:
        by_flow.setdefault(end.member.flow, []).append(end)
    follower = _Follower(connection, now, next_id)
    # Always in one order, so that two processes don't wait for each other.
    for record in _locked(connection, by_flow):
        for end in by_flow[record.flow_id]:
            follower.member_ended(record, end)
    return follower.written()


def mend(connection: BaseDatabaseWrapper, *, now: float, next_id: NextId) -> list[Added]:
    """Go on with workflows whose jobs have ended without anybody going on. As `follow`, in transactions of its own."""
    alias = connection.alias
    live = JobRecord.objects.using(alias).filter(flow=OuterRef("flow_id"), status__in=LIVE)
    running = WorkflowRecord.objects.using(alias).filter(state=JobStatus.RUNNING).exclude(Exists(live))
    added: list[Added] = []
    for flow_id in list(running.order_by("flow_id").values_list("flow_id", flat=True)[:SLICE]):
        with transaction.atomic(using=alias):
            follower = _Follower(connection, now, next_id)
            for record in _locked(connection, [flow_id]):
                follower.mend(record)
            added += follower.written()
    return added


def end(database: str, flow_id: int, error: JobError, now: float) -> bool:
    """End a workflow as failed. False if it had ended."""
    running = WorkflowRecord.objects.using(database).filter(flow_id=flow_id, state=JobStatus.RUNNING)
    return bool(running.update(state=JobStatus.FAILURE, error=json.dumps(asdict(error)), ended_at=aware(now)))


def members(database: str, flow_id: int) -> "QuerySet[JobRecord]":
    """The rows of its jobs, the callback's with them."""
    return JobRecord.objects.using(database).filter(flow=flow_id)


def states(database: str, flow_id: int, total: int) -> dict[str, int]:
    """How many of its members there are of each state, as far as they have rows."""
    rows = members(database, flow_id).filter(step__lt=total).values_list("status").annotate(n=Count("pk"))
    counts = counted(())
    for status, number in rows:
        counts[NAMES.get(status, "FAILURE")] += number
    return counts


def _locked(connection: BaseDatabaseWrapper, flow_ids: Iterable[int]) -> list[WorkflowRecord]:
    rows = WorkflowRecord.objects.using(connection.alias).filter(flow_id__in=list(flow_ids))
    return list(rows.filter(state=JobStatus.RUNNING).order_by("flow_id").select_for_update())


class _Follower:
    """Goes on with workflows whose rows are locked, and writes all of it at the end."""

    def __init__(self, connection: BaseDatabaseWrapper, now: float, next_id: NextId) -> None:
        self.database = connection.alias
        self.now = now
        self.next_id = next_id
        self.changed: dict[int, WorkflowRecord] = {}
        self.drafts: list[Draft] = []

    def member_ended(self, record: WorkflowRecord, one: End) -> None:
        if record.state != JobStatus.RUNNING:
            return
        self.changed[record.flow_id] = record
        step = one.member.step
        if record.kind != CHAIN and step == record.total:
            self._last_ended(record, one)
            return
        if one.error is None:
            record.succeeded += 1
        else:
            record.failed += 1
        if record.kind == CHAIN:
            self._step_ended(record, one)
        elif record.succeeded + record.failed >= record.total and not self._lives(record, but=step):
            self._join(record, one.member.carried)

    def mend(self, record: WorkflowRecord) -> None:
        """None of its jobs lives, and it was not gone on with."""
        self.changed[record.flow_id] = record
        step = record.position if record.kind == CHAIN else record.total
        row = members(self.database, record.flow_id).filter(step=step).first()
        if record.kind != CHAIN and not record.position:
            counts = states(self.database, record.flow_id, record.total)
            # What has no row any more had ended long ago.
            record.succeeded = max(record.succeeded, counts["SUCCESS"])
            record.failed = record.total - record.succeeded
            self._join(record, "")
        elif row is None:
            self._end(record, lost("The job that it was at has no row any more."))
        else:
            self.member_ended(record, end_of(row))

    def _step_ended(self, record: WorkflowRecord, one: End) -> None:
        step = one.member.step
        if step != record.position:
            return
        if one.error is not None or step + 1 == record.total:
            self._last_ended(record, one)
        else:
            record.position = step + 1
            # The first was added by the one who started it.
            self._add(record, step + 1, json.loads(record.steps)[step], json.loads(one.result), one.member)

    def _join(self, record: WorkflowRecord, carried: str) -> None:
        """All members of a group or a batch have ended."""
        error = self._error_of(record)
        callbacks = json.loads(record.steps)
        joined = self._joined(record) if error is None or record.kind == BATCH else None
        if not callbacks or (error is not None and record.kind == GROUP):
            self._end(record, error, json.dumps(joined))
            return
        record.position = 1
        member = Member(flow=record.flow_id, step=record.total, carried=carried)
        self._add(record, record.total, callbacks[0], joined, member)

    def _last_ended(self, record: WorkflowRecord, one: End) -> None:
        self._end(record, one.error or self._error_of(record), one.result)

    def _end(self, record: WorkflowRecord, error: JobError | None, result: str = "") -> None:
        record.state = JobStatus.SUCCESS if error is None else JobStatus.FAILURE
        record.result = result if error is None else ""
        record.error = "" if error is None else json.dumps(asdict(error))
        record.ended_at = aware(self.now)

    def _add(
        self, record: WorkflowRecord, step: int, spec: Mapping[str, Any], previous: Any, member: Member
    ) -> None:
        try:
            self.drafts.append(
                _draft(
                    spec,
                    previous,
                    self.now,
                    self.next_id(),
                    Member(flow=record.flow_id, step=step, carried=member.carried),
                )
            )
        except (TypeError, ValueError) as error:
            described = describe(error)
            text = f'Step {step + 1}, of "{spec["task"]}", could not be added: {described.message}'
            self._end(record, JobError(kind="raised", type=described.type, message=text, traceback=""))

    def _lives(self, record: WorkflowRecord, *, but: int) -> bool:
        live = members(self.database, record.flow_id).filter(step__lt=record.total, status__in=LIVE)
        return live.exclude(step=but).exists()

    def _error_of(self, record: WorkflowRecord) -> JobError | None:
        if record.kind == CHAIN or not record.failed:
            return None
        failed = members(self.database, record.flow_id).filter(
            step__lt=record.total, status=JobStatus.FAILURE
        )
        first = failed.order_by("ended_at", "pk").first()
        error = lost("its row is gone") if first is None else end_of(first).error or cancelled("")
        return failure_of(record.kind, record.failed, record.total, error)

    def _joined(self, record: WorkflowRecord) -> Any:
        if record.kind == BATCH:
            counts = counted(())
            counts["SUCCESS"], counts["FAILURE"] = record.succeeded, record.failed
            return counts
        rows = members(self.database, record.flow_id).filter(step__lt=record.total).order_by("step")
        return [json.loads(result) if result else None for result in rows.values_list("result", flat=True)]

    def written(self) -> list[Added]:
        """Write it. Answers what was added."""
        fields = ("state", "position", "succeeded", "failed", "result", "error", "ended_at")
        for record in self.changed.values():
            record.save(using=self.database, update_fields=fields)
        for _ in range(TRIES):
            if not self.drafts or drafts.write(self.database, self.drafts):
                break
            # Another machine has given one of these ids.
            self.drafts = [_with_id(draft, self.next_id()) for draft in self.drafts]
        else:
            raise RuntimeError(f"The ids of {TRIES} tries to add the next jobs of workflows were taken.")
        return [Added(task=one.task, job_id=one.job_id, due_at=one.due_at) for one in self.drafts]


def end_of(row: JobRecord) -> End:
    """How a row's job has ended."""
    assert row.flow is not None
    assert row.step is not None
    error = None
    if row.status != JobStatus.SUCCESS:
        error = JobError(
            kind=row.kind or "lost", type=row.error_type, message=row.error, traceback=row.traceback
        )
    member = Member(flow=row.flow, step=row.step, carried=row.carried)
    return End(member=member, result=row.result or "null", error=error)


def _draft(spec: Mapping[str, Any], previous: Any, now: float, job_id: int, member: Member) -> Draft:
    """The row of a step. TypeError, ValueError where its arguments can't be kept."""
    args, kwargs = list(spec["args"]), dict(spec["kwargs"])
    for place in spec["previous"]:
        if isinstance(place, int):
            args[place] = previous
        else:
            kwargs[place] = previous
    due_at = spec["due_at"] if spec["run_after"] is None else now + spec["run_after"]
    return Draft(
        task=spec["task"],
        job_id=job_id,
        args=strict.encoded(args, kwargs),
        added_at=now,
        priority=spec["priority"],
        timeout=spec["timeout"],
        carried=member.carried,
        due_at=due_at,
        expires_at=None if spec["expires"] is None else now + spec["expires"],
        flow=member.flow,
        step=member.step,
    )


def _with_id(draft: Draft, job_id: int) -> Draft:
    return Draft(**{**{name: getattr(draft, name) for name in Draft.__slots__}, "job_id": job_id})
