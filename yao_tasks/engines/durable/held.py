"""A durable job that this process has claimed: from its row to the job in memory, and back."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import time as wall
from typing import Any

from yao_tasks.core import strict
from yao_tasks.core.jobs import NO_PROGRESS, Job, JobError, Terms
from yao_tasks.journal import rows, runs
from yao_tasks.journal.durable.claims import Claim
from yao_tasks.journal.durable.endings import Ending
from yao_tasks.journal.durable.flows import Member
from yao_tasks.models import JobStatus

# Progress is written this often at most (s).
PROGRESS_EVERY = 0.2


class Held:
    """What a claimed job has as its `row`."""

    __slots__ = ("claim", "dirty", "moved", "since", "wrote_at")

    def __init__(self, claim: Claim, moved: Callable[[Job], object], since: float) -> None:
        """`moved` is called with the job where its progress is to be written. `since`: of the claim (monotonic)."""
        self.claim = claim
        self.since = since
        self.moved = moved
        self.dirty = False
        self.wrote_at = float("-inf")

    def touch(self, job: Job) -> None:
        """The job has changed. Its progress alone is written while it runs."""
        if not self.dirty and job.progress is not NO_PROGRESS:
            self.dirty = True
            self.moved(job)

    def ran(self, job: Job, attempt: int, ended: float, error: JobError) -> None:
        """Never called: the end of each run of a durable job is written as such."""
        raise NotImplementedError

    def next_life(self, job: Job) -> "Held":
        """Never called: a durable job is tried again by its row."""
        raise NotImplementedError


def job_of(
    claim: Claim,
    *,
    monotonic: float,
    database_now: float,
    restore: Callable[[Mapping[str, Any]], object],
    moved: Callable[[Job], object],
) -> Job:
    """The job of a claimed row, as a pool runs it. ValueError where the row can't be read, with what is wrong."""
    args, kwargs = strict.decoded(claim.args)
    if claim.attempt - 1 < claim.base or claim.base < 0:
        raise ValueError(f"attempt {claim.attempt - 1} after {claim.base} runs is none that a job can have.")
    job = Job(claim.job_id, args, kwargs, monotonic - (database_now - claim.added_at), claim.added_at)
    job.attempt, job.base = claim.attempt - 1, claim.base
    job.ready = job.added if claim.due_at is None else job.added + max(0.0, claim.due_at - claim.added_at)
    carried = _carried(claim.carried, restore)
    if claim.priority or claim.timeout is not None or carried:
        job.terms = Terms(priority=claim.priority, timeout=claim.timeout, carried=carried)
    job.row = Held(claim, moved, monotonic)
    return job


def ending_of(
    job: Job, *, ended: float, result: str = "", error: JobError | None = None, due: float | None = None
) -> Ending:
    """What is written of a run that is over; `error` None: it returned. Moments are monotonic.

    `due`: it failed, and is to run again then.
    """
    assert isinstance(job.row, Held)
    claim = job.row.claim
    at = job.added_at - job.added
    started = None if job.started is None else at + job.started
    ending = Ending(
        id=claim.id,
        token=claim.token,
        status=JobStatus.SUCCESS,
        result=result,
        started_at=started,
        ended_at=at + ended,
        worker=(job.worker or "")[: rows.WORKER_LIMIT],
        current=float(job.progress[0]),
        total=float(job.progress[1]),
        message=rows.scrubbed(job.progress[2]),
        base=job.base,
        runs=claim.runs,
        member=member_of(claim),
    )
    if error is None:
        return ending
    if due is not None:
        again = replace(ending, status=JobStatus.WAITING, ended_at=None, due_at=at + due, worker="")
        return replace(again, runs=_noted(job, claim, ended, error))
    return replace(
        ending,
        status=JobStatus.FAILURE,
        kind=error.kind,
        error_type=rows.scrubbed(error.type[: rows.TYPE_LIMIT]),
        error=rows.scrubbed(error.message),
        traceback=rows.scrubbed(error.traceback),
    )


def _noted(job: Job, claim: Claim, ended: float, error: JobError) -> str:
    noted = runs.noted(
        runs.read(claim.runs),
        attempt=job.attempt,
        started=rows.moment(job, job.started),
        ended=rows.moment(job, ended),
        worker=job.worker,
        error=error,
    )
    return runs.encode(noted)


def given_back(job: Job) -> Ending:
    """What is written of a run that is cut short by the pool's close: it costs the job no attempt."""
    assert isinstance(job.row, Held)
    claim = job.row.claim
    return Ending(
        id=claim.id, token=claim.token, status=JobStatus.WAITING, runs=claim.runs, base=job.base + 1
    )


def unreadable(claim: Claim, text: str) -> Ending:
    """What is written of a row that can't be run, since somebody has changed it."""
    return Ending(
        id=claim.id,
        token=claim.token,
        status=JobStatus.FAILURE,
        kind="lost",
        error_type="yao_tasks.errors.JobLost",
        error=rows.scrubbed(f"The row can't be read: {text}"),
        ended_at=wall(),
        runs=claim.runs,
        base=max(0, claim.base),
        member=member_of(claim),
    )


def member_of(claim: Claim) -> Member | None:
    """What a claimed job is in a workflow."""
    if claim.flow is None or claim.step is None:
        return None
    return Member(flow=claim.flow, step=claim.step, carried=claim.carried)


def _carried(text: str, restore: Callable[[Mapping[str, Any]], object]) -> tuple[Callable[[], object], ...]:
    if not text:
        return ()
    values = strict.decoded(text)[1]
    return (lambda: restore(values),)
