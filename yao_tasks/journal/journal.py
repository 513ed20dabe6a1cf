"""The journal of a process: where its recorded jobs are written, and read again."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.core import machine
from yao_tasks.core.jobs import Job, JobInfo
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.queries import Query
from yao_tasks.journal import owners, pruning, reading, removing, searching, sql
from yao_tasks.journal.durable import flows
from yao_tasks.journal.durable.clerk import Clerk
from yao_tasks.journal.durable.desks import Claimant
from yao_tasks.journal.durable.flows import End
from yao_tasks.journal.durable.office import Office, new_token
from yao_tasks.journal.durable.waking import Ears, Mouth
from yao_tasks.journal.past import Past
from yao_tasks.journal.rows import Row, RowsOf
from yao_tasks.journal.searching import Place
from yao_tasks.journal.writer import Writer
from yao_tasks.models import JobOwner, JobRecord

# A reader that finds nothing lets the writer write what it knows of first, and waits so long at most (s).
PATIENCE = 1.0
# A list of jobs can do without the last of them.
SEARCH_PATIENCE = 0.2


class Journal:
    """One database, one writer. Any thread may call any method; those that read or write raise django.db.Error."""

    def __init__(
        self,
        database: str,
        *,
        most_result: int,
        keep: pruning.Keep,
        role: Callable[[], str],
        release: str = "",
        wall: Callable[[], float] = time.time,
        folder: Path,
        poll: float = 1.0,
        known: Callable[[], Sequence[str]] = tuple,
        next_id: Callable[[], int],
    ) -> None:
        """`most_result`: bytes of a result's JSON. `keep` bounds the history. `role` says what this process is.

        For durable jobs: `folder` is the state folder, `poll` the seconds between two looks for them, `known` the
        ids of all tasks, former ones too, `next_id` makes one for a job that a workflow adds.
        """
        self.database = database
        self.most_result = most_result
        self.role = role
        self.release = release
        self.wall = wall
        self.pruning = pruning.Pruning(database, keep, wall)
        self.writer = Writer(database, self)
        self._owner: int | None = None
        # Guards its first use: two threads write.
        self._enrolling = threading.RLock()
        self.works = False
        """Whether this process runs durable jobs."""
        office = self._office(folder, known)
        self.clerk = Clerk(database, office, poll=poll, token=new_token, next_id=next_id)
        self.mouth = Mouth(folder)
        self.ears = Ears(folder, self.clerk.look)

    # Durable jobs

    def _office(self, folder: Path, known: Callable[[], Sequence[str]]) -> Office:
        return Office(
            self.database,
            folder,
            enroll=self.owner,
            claimants=self._claimants,
            known=known,
            prune=self.pruning.after,
            mend=self._mend,
        )

    def work(self) -> None:
        """Run durable jobs, for the pools that the clerk is employed by. RuntimeError where no thread can start."""
        self.works = True
        self.clerk.start()
        self.ears.open()

    def follow(self, ends: Sequence[End]) -> None:
        """Write what follows the ends of workflows' jobs, in the caller's transaction."""
        connection, clerk = connections[self.database], self.clerk
        added = flows.follow(connection, ends, now=clerk.chores.now(), next_id=clerk.next_id)
        if added:
            transaction.on_commit(partial(clerk.let_in, added), using=self.database, robust=True)

    def _mend(self, connection: BaseDatabaseWrapper) -> None:
        clerk = self.clerk
        now = clerk.chores.now()
        clerk.let_in(flows.mend(connection, now=now, next_id=clerk.next_id))
        pruning.forget_workflows(self.database, self.pruning.keep, now)

    def _claimants(self) -> list[Claimant]:
        return [desk.claimant for desk in list(self.clerk.desks.values())]

    # Writing

    def rows_of(self, task: str, life: Lifecycle, *, at_once: bool = False) -> RowsOf:
        """The rows of a pool. `at_once`: written in the thread, and the transaction, that changes a job."""
        put = self._write_now if at_once else self.writer.put
        return RowsOf(task, life, put, most=self.most_result)

    def start(self) -> None:
        """Start the writer. RuntimeError where the process starts no more threads."""
        self.writer.start()

    def flush(self, seconds: float = PATIENCE) -> bool:
        """Have all that has happened until now written. False if that took longer, or the database is away."""
        return self.writer.flush(seconds)

    def close(self, seconds: float) -> bool:
        """Write everything, and end both threads. False if that took longer, or the database is away."""
        began = time.monotonic()
        self.ears.close()
        ended = self.clerk.stop(seconds)
        self.mouth.close()
        return self.writer.flush(max(0.1, seconds - (time.monotonic() - began)), last=True) and ended

    def claim_failure(self, past: Past, fields: Mapping[str, object]) -> bool:
        """Have a recorded failure tried again by this process, in the caller's thread and transaction.

        `fields` are what the lifecycle makes of it. False if somebody was quicker.
        """
        with transaction.atomic(using=self.database):
            failure = reading.failures(self.database, past.info.task, past.info.id)
            owner = self.owner(connections[self.database])
            return failure.update(owner=owner, base=past.info.attempt, **fields) == 1

    def remove(self, task: str, ids: Sequence[int]) -> set[int]:
        """Delete the rows of jobs that have ended, in the caller's thread; answers which have gone."""
        # What is still to be written would be written after that.
        self.flush()
        return removing.remove(self.database, task, ids)

    # Reading

    def past(self, task: str, job_id: int) -> Past | None:
        """What is recorded of a job, what is still to be written included; None where there is no row."""
        row = reading.find(self.database, task, job_id=job_id)
        if row is None and self.flush():
            row = reading.find(self.database, task, job_id=job_id)
        if row is not None and row.owner is not None and self._is_left(row, row.owner):
            owners.bury(self.database, self._now)
            row = reading.find(self.database, task, job_id=job_id)
        return None if row is None else self._drawn(row)

    def found(self, tasks: Sequence[str], job_id: int) -> Past | None:
        """The row of a durable job, by any of the task's names; None where there is none."""
        row = reading.find(self.database, *tasks, job_id=job_id)
        return None if row is None else self._drawn(row)

    def several(self, task: str, ids: Sequence[int]) -> dict[int, JobInfo]:
        """Those of these jobs that have rows."""
        return reading.several(self.database, task, ids)

    @staticmethod
    def _drawn(row: JobRecord) -> Past:
        owner = "?" if row.owner is None else str(row.owner)
        mine = row.owner is not None and owners.identity(row.owner) == machine.mine()
        return Past(row=row, info=reading.draw(row), owner=owner, is_mine=mine)

    @staticmethod
    def _is_left(row: JobRecord, owner: JobOwner) -> bool:
        """Whether the job lived in the memory of a process that is dead."""
        lives = row.status in owners.ALIVE and not row.durable
        return lives and owners.identity(owner).is_alive() is False

    def taken(self, task: str, ids: Sequence[int]) -> set[int]:
        """Those of these jobs of this process that another one has tried again: their rows are its own by now."""
        return set() if self._owner is None else reading.of_others(self.database, task, ids, self._owner)

    def is_known(self, task: str, job_id: int) -> bool:
        """Whether the task has a row with this id."""
        return reading.is_known(self.database, task, job_id)

    def places(
        self, task: str, query: Query, *, is_known: Callable[[int], bool], last: Place | None, most: int
    ) -> list[Place]:
        """Where at most so many recorded jobs stand that fit, as `searching.places` says."""
        self.flush(SEARCH_PATIENCE)
        return searching.places(self.database, task, query, is_known=is_known, last=last, most=most)

    def drawn(self, task: str, ids: Sequence[int]) -> dict[int, JobInfo]:
        """Pictures of these jobs, by id, of as many as there still are."""
        rows = searching.rows_of(self.database, task, ids)
        return {job_id: reading.draw(row) for job_id, row in rows.items()}

    # Chores of the writer

    def owner(self, connection: BaseDatabaseWrapper) -> int:
        """The row of this process, written if need be."""
        with self._enrolling:
            if self._owner is None:
                owners.bury(self.database, self._now)
                self._owner = owners.enroll(self.database, self.role(), self.release, self._now())
            return self._owner

    def after_batch(self, connection: BaseDatabaseWrapper, rows: int) -> None:
        """Prune a little, now and then."""
        self.pruning.after(rows)

    def last(self, connection: BaseDatabaseWrapper) -> None:
        """This process writes no more."""
        if self._owner is not None:
            owners.leave(self.database, self._owner, self._now())

    def _now(self) -> datetime:
        return sql.aware(self.wall())

    def _write_now(self, job: Job) -> None:
        row = job.row
        assert isinstance(row, Row)
        row.dirty = False
        connection = connections[self.database]
        with transaction.atomic(using=self.database):
            values = row.pool.values(job, self.owner(connection), sql.moments(connection))
            if values is not None:
                sql.write(connection, [values])
