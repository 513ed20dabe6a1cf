"""From a job in memory to the values of its row: bounded and scrubbed, so that an end can always be written."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from yao_tasks.core.jobs import CODES, DROPPED, PUBLIC, SUCCEEDED, Job, JobError
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.strict import encoded
from yao_tasks.journal import runs

WORKER_LIMIT, TYPE_LIMIT = 100, 200


class Row:
    """What the journal keeps of a job beside the job itself, which points to it as `job.row`."""

    __slots__ = ("args", "dirty", "forgotten", "pool", "runs", "state", "wrote_at")

    def __init__(self, pool: "RowsOf", args: str) -> None:
        self.pool = pool
        self.args = args
        # Whether the job stands in the writer's queue.
        self.dirty = False
        # Whether its end was one too many, while the database was away.
        self.forgotten = False
        self.runs: runs.Runs | None = None
        # What was written last, and when (monotonic): status and attempt.
        self.state: tuple[int, int] | None = None
        self.wrote_at = 0.0

    def touch(self, job: Job) -> None:
        """The job has changed: have it written. Any thread, on the path of each job."""
        if not self.dirty:
            self.dirty = True
            self.pool.put(job)

    def ran(self, job: Job, attempt: int, ended: float, error: JobError) -> None:
        """A run is over, and it was not the job's last. `ended`: monotonic seconds."""
        self.note_run(attempt, moment(job, job.started), moment(job, ended), job.worker, error)

    def note_run(
        self,
        attempt: int,
        started: datetime | None,
        ended: datetime | None,
        worker: str | None,
        error: JobError,
    ) -> None:
        """Keep what became of a run, beside the last ones before it."""
        # A new list: the writer may be reading the old one.
        self.runs = runs.noted(
            self.runs, attempt=attempt, started=started, ended=ended, worker=worker, error=error
        )

    def next_life(self, job: Job) -> "Row":
        """The row of the job in which this one, a failure, is tried again: the same in the database."""
        row = Row(self.pool, self.args)
        row.runs, row.state = self.runs, self.state
        # None of those that were cancelled while they waited ran.
        if job.error is not None and job.ended is not None and job.attempt > job.base:
            row.ran(job, job.attempt, job.ended, job.error)
        return row


class RowsOf:
    """The rows of one pool. `put` takes a job that has changed."""

    def __init__(self, task: str, life: Lifecycle, put: Callable[[Job], object], *, most: int) -> None:
        self.task = task
        self.life = life
        self.put = put
        self.most_result = most

    def row(self, job: Job) -> Row:
        """A row for a new job. TypeError, ValueError for arguments that can't be written."""
        return Row(self, encoded(job.args, job.kwargs))

    def values(self, job: Job, owner: int | None, moment: Callable[[float], Any]) -> tuple[Any, ...] | None:
        """The values of `COLUMNS` as the job is now; None for one that is no longer what its id means.

        `moment` makes what a column of the database takes of seconds since 1970. Called by the writer alone.
        """
        now = self._look(job, self.life.lock)
        if now is None:
            return None
        row, terms = job.row, job.terms
        assert isinstance(row, Row)
        status, attempt, progress, result, error, started, ended, due, worker = now
        kept = error or _NO_ERROR
        row.state = (status, attempt)
        message = progress[2]
        at = job.added_at - job.added
        return (
            self.task,
            job.id,
            CODES[PUBLIC[status]],
            kept.kind,
            row.args,
            0 if terms is None else terms.priority,
            None if terms is None else terms.timeout,
            moment(job.added_at),
            None if due is None else moment(at + due),
            None if started is None else moment(at + started),
            None if ended is None else moment(at + ended),
            attempt,
            job.base,
            worker[:WORKER_LIMIT] if worker else "",
            float(progress[0]),
            float(progress[1]),
            scrubbed(message) if message else "",
            self._result(result) if status == SUCCEEDED else "",
            scrubbed(kept.type[:TYPE_LIMIT]),
            scrubbed(kept.message),
            scrubbed(kept.traceback),
            runs.encode(row.runs) if row.runs else "",
            owner,
        )

    def _look(self, job: Job, lock: Lock) -> tuple[Any, ...] | None:
        life, job_id = self.life, job.id
        with lock:
            # Tried again meanwhile, under its id.
            other = (job_id in life.jobs and life.jobs[job_id] is not job) or (
                job_id in life.ended and life.ended[job_id] is not job
            )
            status = job.status
            attempt = job.attempt
            progress = job.progress
            result = job.result
            error = job.error
            started = job.started
            ended = job.ended
            due = job.due
            worker = job.worker
        if other or status == DROPPED:
            return None
        return (status, attempt, progress, result, error, started, ended, due, worker)

    def _result(self, result: Any) -> str:
        if result is None:
            return "null"
        try:
            text = runs.encode(result)
        except Exception as error:  # noqa: BLE001 - an object's own code may be asked
            return runs.encode(f"(not kept: it is no JSON, {type(error).__name__})")
        if len(text) > self.most_result:
            return runs.encode(f"(not kept: {len(text):,} bytes, and MAX_RESULT is {self.most_result:,})")
        return text


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NO_ERROR = JobError(kind="", type="", message="", traceback="")


def scrubbed(text: str) -> str:
    """The text without what not every database stores: NUL and lone surrogates become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def moment(job: Job, at: float | None) -> datetime | None:
    """A monotonic moment of a job, aware and in UTC."""
    return None if at is None else datetime.fromtimestamp(job.added_at + at - job.added, UTC)
