"""Claimed jobs go out of a process's hands: ended, postponed, or given back. Each is fenced by its token.

A row whose token is another was taken away meanwhile, by a cancel or because this process was held to be dead:
what became of it stands, and this process's news is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.core.jobs import JobError
from yao_tasks.journal import sql
from yao_tasks.journal.durable import dialects
from yao_tasks.journal.durable.flows import End, Member
from yao_tasks.models import JobRecord, JobStatus

_KEYS = ("id", "token")
_CHANGES = (
    "status",
    "kind",
    "result",
    "error_type",
    "error",
    "traceback",
    "runs",
    "started_at",
    "ended_at",
    "due_at",
    "worker",
    "current",
    "total",
    "message",
    "base",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is written of a claimed job whose run is over. Moments are seconds since 1970."""

    id: int
    token: int
    status: int
    """`JobStatus`: WAITING where it is to run again."""
    kind: str = ""
    result: str = ""
    error_type: str = ""
    error: str = ""
    traceback: str = ""
    runs: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    due_at: float | None = None
    worker: str = ""
    current: float = 0.0
    total: float = 0.0
    message: str = ""
    base: int = 0
    member: Member | None = None
    """What it is in a workflow."""

    @property
    def end(self) -> End | None:
        """What its workflow has to know; None where there is none, or it has not ended."""
        if self.member is None or self.status == JobStatus.WAITING:
            return None
        if self.status == JobStatus.SUCCESS:
            return End(member=self.member, result=self.result)
        error = JobError(kind=self.kind, type=self.error_type, message=self.error, traceback=self.traceback)
        return End(member=self.member, error=error)


class SomeRefused(Exception):
    """Some of a batch were refused. Roll back, and write them `singly`, to see which."""


def write(connection: BaseDatabaseWrapper, endings: Sequence[Ending], *, singly: bool = False) -> set[int]:
    """Write them. Answers the keys of those that were refused; of a batch that isn't written `singly` there are none.

    Raises django.db.Error, SomeRefused.
    """
    moment = sql.moments(connection)
    rows = [_row(ending, moment) for ending in endings]
    if singly or len(rows) == 1:
        return {row[-2] for row in rows if not _write(connection, [row])}
    if rows and _write(connection, rows) != len(rows):
        raise SomeRefused
    return set()


def standing(connection: BaseDatabaseWrapper, endings: Sequence[Ending], owner: int) -> set[int]:
    """The keys of those of a process's endings that its rows show. Raises django.db.Error."""
    rows = JobRecord.objects.using(connection.alias).filter(pk__in=[one.id for one in endings], owner=owner)
    shown = set(rows.values_list("pk", "status", "kind"))
    return {one.id for one in endings if (one.id, one.status, one.kind) in shown}


def give_back(connection: BaseDatabaseWrapper, keys: Sequence[tuple[int, int]]) -> None:
    """Let jobs that have not started wait again, as if they had never been claimed. `keys`: (id, token)."""
    if keys:
        with connection.cursor() as cursor:
            cursor.executemany(_given_back(connection.vendor), keys)


def report(connection: BaseDatabaseWrapper, reports: Sequence[tuple[float, float, str, int, int]]) -> None:
    """Write progress: (current, total, message, id, token) each."""
    if reports:
        with connection.cursor() as cursor:
            cursor.executemany(_reported(connection.vendor), reports)


def held(connection: BaseDatabaseWrapper, owner: int) -> set[tuple[int, int]]:
    """What a process has claimed, by the rows: (id, token). Raises django.db.Error."""
    name = partial(dialects.quote, connection.vendor)
    running = f"{name('status')} = {int(JobStatus.RUNNING)} AND {name('owner_id')} = %s AND {name('durable')}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {name('id')}, {name('token')} FROM {name(sql.TABLE)} WHERE {running}",  # noqa: S608
            [owner],
        )
        return set(cursor.fetchall())


def _row(ending: Ending, moment: Any) -> tuple[Any, ...]:
    """The values of `_CHANGES`, whether the job lives on, and the values of `_KEYS`."""

    def at(seconds: float | None) -> Any:
        return None if seconds is None else moment(seconds)

    return (
        ending.status,
        ending.kind,
        ending.result,
        ending.error_type,
        ending.error,
        ending.traceback,
        ending.runs,
        at(ending.started_at),
        at(ending.ended_at),
        at(ending.due_at),
        ending.worker,
        ending.current,
        ending.total,
        ending.message,
        ending.base,
        ending.status == JobStatus.WAITING,
        ending.id,
        ending.token,
    )


def _write(connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> int:
    """Answers how many were written."""
    vendor = connection.vendor
    with connection.cursor() as cursor:
        if len(rows) == 1:
            cursor.execute(_singly(vendor), rows[0])
        elif vendor == "postgresql":
            cursor.execute(_postgresql(), dialects.columns(rows))
        elif vendor == "mysql":
            cursor.execute(_mysql(len(rows)), [value for row in rows for value in row])
        else:
            cursor.executemany(_singly(vendor), rows)
        return int(cursor.rowcount)


@cache
def _singly(vendor: str) -> str:
    name = partial(dialects.quote, vendor)
    changes = ", ".join(f"{name(column)} = %s" for column in _CHANGES)
    key = f"{name('unique_key')} = CASE WHEN %s THEN {name('unique_key')} END"
    fence = f"{name('id')} = %s AND {name('token')} = %s"
    return f"UPDATE {name(sql.TABLE)} SET {changes}, {key}, {_released(vendor)} WHERE {fence}"  # noqa: S608


@cache
def _postgresql() -> str:
    name = partial(dialects.quote, "postgresql")
    changes = ", ".join(f"{name(column)} = given.{name(column)}" for column in _CHANGES)
    key = f"{name('unique_key')} = CASE WHEN given.alive THEN job.{name('unique_key')} END"
    types = [dialects.type_of(column) for column in _CHANGES]
    arrays = ", ".join(f"%s::{one}[]" for one in (*types, "boolean", *map(dialects.type_of, _KEYS)))
    named = dialects.named("postgresql", (*_CHANGES, "alive", *_KEYS))
    return (
        f"UPDATE {name(sql.TABLE)} AS job SET {changes}, {key}, {_released('postgresql')} "  # noqa: S608
        f"FROM UNNEST({arrays}) AS given ({named}) WHERE job.id = given.id AND job.token = given.token"
    )


@cache
def _mysql(count: int) -> str:
    name = partial(dialects.quote, "mysql")
    given = (*_CHANGES, "alive", *_KEYS)
    first = "SELECT " + ", ".join(f"%s AS {name(column)}" for column in given)
    rest = " UNION ALL SELECT " + dialects.marks(given)
    changes = ", ".join(f"job.{name(column)} = given.{name(column)}" for column in _CHANGES)
    key = f"job.{name('unique_key')} = CASE WHEN given.alive THEN job.{name('unique_key')} END"
    return (
        f"UPDATE {name(sql.TABLE)} AS job JOIN ({first}{rest * (count - 1)}) AS given "  # noqa: S608
        f"ON job.id = given.id AND job.token = given.token SET {changes}, {key}, {_released('mysql', 'job.')}"
    )


def _released(vendor: str, of: str = "") -> str:
    """What every row out of a process's hands loses: its token, and any suspicion, for it has come to an end."""
    name = partial(dialects.quote, vendor)
    return f"{of}{name('suspect')} = FALSE, {of}{name('token')} = NULL"


@cache
def _given_back(vendor: str) -> str:
    name = partial(dialects.quote, vendor)
    attempt = f"{name('attempt')} = {name('attempt')} - 1"
    changes = (
        f"{name('status')} = {int(JobStatus.WAITING)}, {name('owner_id')} = NULL, {name('token')} = NULL"
    )
    fence = f"{name('id')} = %s AND {name('token')} = %s"
    return f"UPDATE {name(sql.TABLE)} SET {changes}, {name('started_at')} = NULL, {attempt} WHERE {fence}"  # noqa: S608


@cache
def _reported(vendor: str) -> str:
    name = partial(dialects.quote, vendor)
    changes = ", ".join(f"{name(column)} = %s" for column in ("current", "total", "message"))
    return f"UPDATE {name(sql.TABLE)} SET {changes} WHERE {name('id')} = %s AND {name('token')} = %s"  # noqa: S608
