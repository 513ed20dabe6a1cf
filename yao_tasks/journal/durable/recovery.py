"""What dead processes have left running goes back to where it waits, and what can't run any more ends.

Any process may do it, and several at once: each row is locked, and looked at again, before it is changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import connections, transaction
from django.db.models import F, Q, QuerySet

from yao_tasks.core.failures import expired, lost
from yao_tasks.core.jobs import JobError
from yao_tasks.core.lifecycle import RETURNED, ended_as
from yao_tasks.journal import owners, runs
from yao_tasks.journal.durable import lease
from yao_tasks.journal.sql import aware, in_utc
from yao_tasks.models import JobOwner, JobRecord, JobStatus

# Rows of one transaction.
SLICE = 100
# A job that three processes died of isn't run again.
MOST_CRASHES = 3
# How long the rows of a task that no release knows wait (s).
UNKNOWN_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job that was ended by a sweep, and whose end is to be told."""

    row: JobRecord
    error: JobError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One look at all rows. Each method raises django.db.Error."""

    database: str
    folder: Path
    mine: int
    """The row of this process."""
    now: float
    """Seconds since 1970, by the database's clock."""

    def dead_owners(self) -> list[JobOwner]:
        """The processes that are dead, and had jobs running."""
        running = self._rows().filter(status=JobStatus.RUNNING).exclude(owner=self.mine)
        found = JobOwner.objects.using(self.database).filter(pk__in=running.values("owner").distinct())
        return [owner for owner in found if lease.is_dead(owner, self.folder, self.now)]

    def recover(self, owner: JobOwner) -> Iterator[Ended]:
        """Take back what a dead process was running. Answers what it was the third to die of."""
        while True:
            with self._slice(self._rows().filter(owner=owner, status=JobStatus.RUNNING)) as rows:
                ended = [one for row in rows if (one := self._take_back(row, owner)) is not None]
            yield from ended
            if len(rows) < SLICE:
                break
        if owner.ended_at is None:
            owners.leave(self.database, owner.pk, aware(self.now))
        lease.remove(self.folder, owner.lock)

    def expire(self, tasks: Sequence[str]) -> Iterator[Ended]:
        """End what had to have started by now."""
        waiting = self._rows().filter(status=JobStatus.WAITING, task__in=tasks, attempt__lte=F("base"))
        with self._slice(waiting.filter(expires_at__lte=aware(self.now))) as rows:
            ended = []
            for row in rows:
                seconds = 0.0 if row.expires_at is None else (row.expires_at - row.added_at).total_seconds()
                error = expired(f"The job had not started {seconds:g} s after it was added.")
                ended.append(self._end(row, error))
        yield from ended

    def rename(self, task: str, former: Sequence[str]) -> None:
        """Give jobs that wait under a task's former name their new one."""
        rows = self._rows().filter(status=JobStatus.WAITING, task__in=former)
        for row in rows[:SLICE]:
            if not self._rows().filter(task=task, job_id=row.job_id).exists():
                self._rows().filter(pk=row.pk, status=JobStatus.WAITING).update(task=task)

    def end_unknown(self, tasks: Sequence[str], since: float) -> Iterator[Ended]:
        """End the jobs of tasks that nobody knows: an hour after they could have run, and after `since`."""
        if self.now < since + UNKNOWN_SECONDS:
            return
        before = aware(self.now - UNKNOWN_SECONDS)
        waiting = self._rows().filter(status=JobStatus.WAITING).exclude(task__in=tasks)
        old = waiting.filter(Q(due_at__isnull=True) | Q(due_at__lt=before), added_at__lt=before)
        with self._slice(old) as rows:
            ended = []
            for row in rows:
                text = f'No release has known a task "{row.task}" for an hour. Add it again, or name it in "formerly".'
                ended.append(self._end(row, lost(text)))
        yield from ended

    def _rows(self) -> "QuerySet[JobRecord]":
        return JobRecord.objects.using(self.database).filter(durable=True)

    def _slice(self, rows: "QuerySet[JobRecord]") -> "_Slice":
        return _Slice(self.database, rows)

    def _take_back(self, row: JobRecord, owner: JobOwner) -> Ended | None:
        crashes = row.crashes + 1
        error = lost(f"The process {owner} died while it ran.")
        fields = {"crashes": crashes, "suspect": True, "runs": self._runs_of(row, error)}
        if crashes >= MOST_CRASHES:
            text = f"{crashes} processes died while they ran it, {owner} last: it isn't run again."
            self._update(row, **fields)
            return self._end(row, lost(text))
        # Of itself a death uses up no attempt: the next run is one of those that the job had.
        self._update(row, base=F("base") + 1, due_at=None, **{**fields, **RETURNED})
        return None

    def _runs_of(self, row: JobRecord, error: JobError) -> str:
        noted = runs.noted(
            runs.read(row.runs),
            attempt=row.attempt,
            started=in_utc(row.started_at),
            ended=in_utc(aware(self.now)),
            worker=row.worker,
            error=error,
        )
        return runs.encode(noted)

    def _end(self, row: JobRecord, error: JobError) -> Ended:
        self._update(row, ended_at=aware(self.now), **ended_as(error))
        return Ended(row=row, error=error)

    def _update(self, row: JobRecord, **fields: object) -> None:
        self._rows().filter(pk=row.pk).update(**fields)


class _Slice:
    """Some rows, locked in a transaction of their own: what another process has locked is left to it."""

    def __init__(self, database: str, rows: "QuerySet[JobRecord]") -> None:
        self.block = transaction.atomic(using=database)
        skips = connections[database].features.has_select_for_update_skip_locked
        self.rows = rows.select_for_update(skip_locked=skips)

    def __enter__(self) -> list[JobRecord]:
        self.block.__enter__()
        try:
            return list(self.rows.order_by("pk")[:SLICE])
        except BaseException as error:
            self.block.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(self, *error: object) -> None:
        self.block.__exit__(*error)  # type: ignore[arg-type]
