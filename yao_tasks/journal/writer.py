"""The one thread of a process that writes jobs behind their backs: in batches, and coalesced.

A job that changes stands in the queue once, however often it changes until it is written. The writer draws it as it
is by then: so what is written never goes back in time, and a job that ended before its first write is one row.
While the database is away jobs go on; what is to be written is kept, up to a bound.
"""

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.connections import drop
from yao_tasks.core.faults import printable
from yao_tasks.core.jobs import SUCCEEDED, Job
from yao_tasks.core.log import logger
from yao_tasks.journal import batches, sql
from yao_tasks.journal.rows import Row

# Changes of so long are gathered into one batch; rows follow their jobs within 0.1 s.
GATHER = 0.05
BATCH = 1_000
# A row of which nothing but the progress has changed is written this often at most (s).
PROGRESS_EVERY = 0.2
# After so long without a write the connection is closed (s).
IDLE = 5.0
# While the database is away (s).
PAUSES = (0.5, 1.0, 2.0, 5.0)
# Most jobs that wait for a database that is away.
BACKLOG = 50_000

_EXTRA = {"task": None, "job": None, "attempt": None}


class Chores(Protocol):
    """What else is done with the writer's connection."""

    def owner(self, connection: BaseDatabaseWrapper) -> int:
        """The row of this process, written if need be. Raises django.db.Error."""

    def after_batch(self, connection: BaseDatabaseWrapper, rows: int) -> None:
        """Called after so many rows were written: a small piece of work. Raises django.db.Error."""

    def last(self, connection: BaseDatabaseWrapper) -> None:
        """Called when the journal is closed. Raises django.db.Error."""


class Flush:
    """Asks the writer to write at once whatever it knows of; `done` is set when it has tried."""

    def __init__(self, *, last: bool = False) -> None:
        self.done = threading.Event()
        self.last = last


class Writer:
    """Starts with the first job. Any thread may call any method but those with an underscore."""

    def __init__(
        self, database: str, chores: Chores, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.database = database
        self.chores = chores
        self.monotonic = monotonic
        self.queue: SimpleQueue[Job | Flush] = SimpleQueue()
        self.put = self.queue.put
        self.away_since: float | None = None
        """Since when the database can't be written to (monotonic); None: it can."""
        # Guards the start of the thread.
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        # From here on only the writer's own thread reads and writes.
        self._pending: dict[Job, None] = {}
        self._failures = 0
        self._forgotten = 0

    def start(self) -> None:
        """Start the thread, once. RuntimeError where the process starts no more threads."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="yao_tasks-journal", daemon=True)
                thread.start()
                self._thread = thread

    def flush(self, seconds: float, *, last: bool = False) -> bool:
        """Have all that has happened until now written. False if that took longer, or the database is away."""
        thread = self._thread
        if thread is None or not thread.is_alive():
            return True
        flush = Flush(last=last)
        self.put(flush)
        done = flush.done.wait(seconds) and self.away_since is None
        if last and done:
            thread.join()
        return done

    def _run(self) -> None:
        flush: Flush | None = None
        while flush is None or not flush.last:
            flush = self._gather()
            try:
                self._write_pending(everything=flush is not None)
            except Exception as error:  # noqa: BLE001 - a writer that stops would stop all history
                self._failed(error)
            if flush is not None and flush.last:
                self._finish()
            if flush is not None:
                flush.done.set()

    def _gather(self) -> Flush | None:
        """Take in what has changed, for a moment from the first change on. Answers a wish to write at once."""
        until: float | None = self._wait_until()
        while True:
            left = None if until is None else until - self.monotonic()
            try:
                news = self.queue.get(timeout=left) if left is None or left > 0 else self.queue.get_nowait()
            except Empty:
                if self._pending or until is None:
                    return None
                drop(self.database)
                until = None
                continue
            if isinstance(news, Flush):
                return news
            if not self._pending and not self._failures:
                until = self.monotonic() + GATHER
            self._take(news)

    def _wait_until(self) -> float | None:
        """Until when to gather: None for ever, while there is nothing to write and no connection to close."""
        now = self.monotonic()
        if self._failures:
            return now + PAUSES[min(self._failures, len(PAUSES)) - 1]
        if self._pending:
            return now + GATHER
        return now + IDLE if self._connection().connection is not None else None

    def _take(self, job: Job) -> None:
        assert isinstance(job.row, Row)
        # Before it is drawn: what changes from here on comes again.
        job.row.dirty = False
        self._pending[job] = None
        if job.row.forgotten:
            job.row.forgotten = False
            self._forgotten -= 1
        # Seldom, since it looks at all of them.
        if len(self._pending) > BACKLOG + BACKLOG // 10:
            self._forget()

    def _forget(self) -> None:
        """No more room: forget what comes again by itself, jobs that have not ended, and then the oldest ends."""
        for job in [job for job in self._pending if job.status < SUCCEEDED]:
            del self._pending[job]
        for job in list(self._pending)[: max(0, len(self._pending) - BACKLOG)]:
            del self._pending[job]
            assert isinstance(job.row, Row)
            job.row.forgotten = True
            self._forgotten += 1

    def _write_pending(self, *, everything: bool) -> None:
        now = self.monotonic()
        due = [job for job in self._pending if everything or self._is_due(job, now)]
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            self._write(batch, now)
            for job in batch:
                del self._pending[job]
        if due and self._failures:
            self._recovered()
        if due:
            self.chores.after_batch(self._connection(), len(due))

    @staticmethod
    def _is_due(job: Job, now: float) -> bool:
        row = job.row
        assert isinstance(row, Row)
        return row.state != (job.status, job.attempt) or now - row.wrote_at >= PROGRESS_EVERY

    def _write(self, batch: Sequence[Job], now: float) -> None:
        connection = self._connection()
        owner, moment = self.chores.owner(connection), sql.moments(connection)
        rows = []
        for job in batch:
            assert isinstance(job.row, Row)
            values = job.row.pool.values(job, owner, moment)
            job.row.wrote_at = now
            if values is not None:
                rows.append(values)
        batches.write(connection, rows)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        drop(self.database)
        if self.away_since is None:
            self.away_since = self.monotonic()
            logger.error(
                'The history of jobs can\'t be written to the database "%s": %s. Jobs go on; up to %s of them are '
                "kept to be written later.%s",
                self.database,
                printable(str(error).strip().rstrip(".") or type(error).__name__),
                f"{BACKLOG:,}",
                self._advice(),
                extra=_EXTRA,
            )

    def _advice(self) -> str:
        """What to do, where that is plain."""
        try:
            tables = self._connection().introspection.table_names()
        except Exception:  # noqa: BLE001 - it is away
            return ""
        finally:
            drop(self.database)
        missing = sql.TABLE not in tables
        return " Its tables are missing: run manage.py migrate." if missing else ""

    def _recovered(self) -> None:
        assert self.away_since is not None
        lost = f"; the ends of {self._forgotten:,} jobs were too many to be kept" if self._forgotten else ""
        logger.warning(
            'The history of jobs is written to the database "%s" again, after %.1f s%s.',
            self.database,
            self.monotonic() - self.away_since,
            lost,
            extra=_EXTRA,
        )
        self._failures, self._forgotten, self.away_since = 0, 0, None

    def _finish(self) -> None:
        ended = sum(job.status >= SUCCEEDED for job in self._pending)
        if self._pending:
            logger.error(
                'The history of %s jobs, %s of them ended, could not be written to the database "%s" before the end.',
                len(self._pending),
                ended,
                self.database,
                extra=_EXTRA,
            )
            self._pending.clear()
        try:
            self.chores.last(self._connection())
        except Exception:  # noqa: BLE001, S110 - it was said that the database is away
            pass
        drop(self.database)

    def _connection(self) -> BaseDatabaseWrapper:
        return connections[self.database]
