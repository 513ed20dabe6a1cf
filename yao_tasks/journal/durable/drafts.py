"""A durable job comes in: one row, WAITING, written by the caller's own connection with his own writes."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.journal import sql
from yao_tasks.journal.durable import dialects
from yao_tasks.models import JobRecord, JobStatus

# How long a job with a unique key waits for another transaction, open just now, that has added one with that key (s).
PATIENCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is written of a new job. Moments are seconds since 1970."""

    task: str
    job_id: int
    args: str
    added_at: float
    priority: int = 0
    timeout: float | None = None
    unique_key: str | None = None
    carried: str = ""
    due_at: float | None = None
    expires_at: float | None = None
    flow: int | None = None
    """The workflow that it belongs to, and which member of that it is."""
    step: int | None = None


_COLUMNS = (
    "task",
    "job_id",
    "args",
    "priority",
    "timeout",
    "unique_key",
    "key",
    "carried",
    "added_at",
    "due_at",
    "expires_at",
    "flow",
    "step",
)
# The same for each new row. In the statement itself: not sent each time.
_CONSTANTS = {
    "status": str(int(JobStatus.WAITING)),
    "durable": "TRUE",
    "suspect": "FALSE",
    **dict.fromkeys(("attempt", "base", "crashes", "current", "total"), "0"),
    **dict.fromkeys(
        ("kind", "worker", "message", "result", "error_type", "error", "traceback", "runs"), "''"
    ),
}


def write(database: str, drafts: Sequence[Draft]) -> bool:
    """Write all of them, or none. False if an id, or a unique key, is taken: that never harms an open transaction.

    Raises django.db.Error: the database's own, as where another transaction keeps a unique key for too long.
    """
    connection = connections[database]
    rows = [_row(draft, sql.moments(connection)) for draft in drafts]
    unique = any(draft.unique_key is not None for draft in drafts)
    block: AbstractContextManager[object] = nullcontext()
    if len(rows) > 1 or unique:
        block = transaction.atomic(using=database)
    try:
        with block, _patience(connection, unique=unique):
            if _insert(connection, rows) < len(rows):
                raise _Taken
    except _Taken:
        return False
    return True


def bare_insert(connection: BaseDatabaseWrapper, draft: Draft) -> tuple[str, tuple[Any, ...]]:
    """The statement that writes one, and its values, for those who compare with what the driver alone can do."""
    return _statement(connection.vendor, False), _row(draft, sql.moments(connection))


def twin(database: str, task: str, key: str) -> int | None:
    """The id of the job with this unique key; None: there is none that can be seen."""
    rows = JobRecord.objects.using(database).filter(task=task, unique_key=key)
    return rows.values_list("job_id", flat=True).first()


class _Taken(Exception):
    """Ends the block that was written in."""


def _row(draft: Draft, moment: Any) -> tuple[Any, ...]:
    due, expires = draft.due_at, draft.expires_at
    return (
        draft.task,
        draft.job_id,
        draft.args,
        draft.priority,
        draft.timeout,
        draft.unique_key,
        draft.unique_key or "",
        draft.carried,
        moment(draft.added_at),
        None if due is None else moment(due),
        None if expires is None else moment(expires),
        draft.flow,
        draft.step,
    )


def _insert(connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> int:
    """Answers how many were written."""
    many = len(rows) > 1
    statement = _statement(connection.vendor, many)
    with connection.cursor() as cursor:
        try:
            if not many:
                cursor.execute(statement, rows[0])
            elif connection.vendor == "postgresql":
                cursor.execute(statement, dialects.columns(rows))
            else:
                cursor.executemany(statement, rows)
        except IntegrityError:
            # MySQL and MariaDB alone: the statement came to nothing, and the transaction goes on.
            if connection.vendor != "mysql":
                raise
            return 0
        return int(cursor.rowcount)


@cache
def _statement(vendor: str, many: bool) -> str:
    constants = ", ".join(_CONSTANTS.values())
    into = f"{dialects.quote(vendor, sql.TABLE)} ({dialects.named(vendor, (*_COLUMNS, *_CONSTANTS))})"
    if vendor == "postgresql" and many:
        rows = f"{dialects.unnested(_COLUMNS)} AS given ({dialects.named(vendor, _COLUMNS)})"
        values = f"SELECT {dialects.named(vendor, _COLUMNS, of='given.')}, {constants} FROM {rows}"  # noqa: S608
    else:
        values = f"VALUES ({dialects.marks(_COLUMNS)}, {constants})"
    return f"INSERT INTO {into} {values}" + ("" if vendor == "mysql" else " ON CONFLICT DO NOTHING")


@contextmanager
def _patience(connection: BaseDatabaseWrapper, *, unique: bool) -> Iterator[None]:
    """Around an insert that may have to wait for another transaction: bounds that wait."""
    vendor = connection.vendor if unique else ""
    if vendor == "mysql":
        _ask(connection, f"SET SESSION innodb_lock_wait_timeout = {PATIENCE}")
    elif vendor == "postgresql":
        get, put = "current_setting('lock_timeout')", f"set_config('lock_timeout', '{PATIENCE}s', true)"
        before = _ask(connection, f"SELECT {get}, {put}")[0]
    yield
    if vendor == "mysql":
        _ask(connection, "SET SESSION innodb_lock_wait_timeout = DEFAULT")
    elif vendor == "postgresql":
        _ask(connection, "SELECT set_config('lock_timeout', %s, true)", [before])


def _ask(connection: BaseDatabaseWrapper, statement: str, values: Sequence[Any] = ()) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone() if cursor.description else None
