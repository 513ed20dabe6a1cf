"""A process takes jobs to run: a short transaction, many rows at once, the attempt counted, a token set.

Only who holds the token may write the end. Due and expiry times are compared with the database's clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from yao_tasks.journal import sql
from yao_tasks.journal.durable import dialects
from yao_tasks.models import JobStatus, PausedTask

PAUSES = PausedTask._meta.db_table
_READ = (
    "id",
    "job_id",
    "args",
    "priority",
    "timeout",
    "attempt",
    "base",
    "carried",
    "added_at",
    "due_at",
    "crashes",
    "suspect",
    "runs",
    "flow",
    "step",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A row that this process has claimed. Moments are seconds since 1970."""

    id: int
    """The row's key."""
    token: int
    job_id: int
    args: str
    priority: int
    timeout: float | None
    attempt: int
    """The run that it was claimed for, from 1."""
    base: int
    carried: str
    added_at: float
    due_at: float | None
    """Since when it could have run, where that wasn't at once."""
    crashes: int
    suspect: bool
    runs: str
    flow: int | None
    """The workflow that it belongs to, and which member of that it is."""
    step: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a process would claim of one task."""

    tasks: tuple[str, ...]
    """The task's id, and its former ones."""
    most: int
    job_ids: tuple[int, ...] = ()
    """Only these; empty: the best of those that wait."""
    suspects: bool = False
    """Only those that may have killed a process; else none of them."""


def claim(connection: BaseDatabaseWrapper, wish: Wish, *, owner: int, token: int, now: float) -> list[Claim]:
    """Claim, the best first. `now`: of the database's clock. Raises django.db.Error."""
    moment = sql.moments(connection)(now)
    where, values = _where(connection, wish, moment)
    fresh = [int(JobStatus.RUNNING), owner, token, moment]
    vendor = connection.vendor
    with connection.cursor() as cursor:
        if vendor == "mysql":
            cursor.execute(_selected(vendor, where, of_keys=False), values)
            # The attempt is counted by what follows.
            rows = [(*row[:5], row[5] + 1, *row[6:]) for row in cursor.fetchall()]
            if rows:
                keys = [row[0] for row in rows]
                cursor.execute(f"{_changed(vendor)} IN ({dialects.marks(keys)})", [*fresh, *keys])
        else:
            inner = _selected(vendor, where, of_keys=True)
            chosen = f"= ANY(ARRAY({inner}))" if vendor == "postgresql" else f"IN ({inner})"
            returned = dialects.named(vendor, _READ)
            cursor.execute(f"{_changed(vendor)} {chosen} RETURNING {returned}", [*fresh, *values])
            rows = cursor.fetchall()
    claims = [_read(row, token) for row in rows]
    return sorted(claims, key=lambda one: (-one.priority, one.id))


def waits(connection: BaseDatabaseWrapper, wish: Wish, *, now: float) -> bool:
    """Whether there is anything to claim: a look that locks nothing. Raises django.db.Error."""
    where, values = _where(connection, wish, sql.moments(connection)(now))
    statement = _selected(connection.vendor, where, of_keys=True, locks=False)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone() is not None


def _where(connection: BaseDatabaseWrapper, wish: Wish, moment: Any) -> tuple[str, list[Any]]:
    """The condition, the order and the bound; and their values."""
    where = _condition(connection.vendor, len(wish.tasks), len(wish.job_ids))
    values = [*wish.tasks, wish.suspects, moment, moment, wish.tasks[0]]
    return where, [*values, *wish.job_ids] if wish.job_ids else [*values, wish.most]


@cache
def _condition(vendor: str, tasks: int, ids: int) -> str:
    def name(column: str) -> str:
        return dialects.quote(vendor, column)

    # From the commit of a pause on nobody claims, though he may not have looked at it yet.
    pause = f"SELECT 1 FROM {name(PAUSES)} WHERE {name('task')} = %s"  # noqa: S608
    where = (
        f"{name('status')} = {int(JobStatus.WAITING)} AND {name('task')} IN ({dialects.marks(range(tasks))}) "
        f"AND {name('durable')} AND {name('suspect')} = %s "
        f"AND ({name('due_at')} IS NULL OR {name('due_at')} <= %s) "
        f"AND ({name('expires_at')} IS NULL OR {name('expires_at')} > %s OR {name('attempt')} > {name('base')}) "
        f"AND NOT EXISTS ({pause})"
    )
    if ids:
        return f"{where} AND {name('job_id')} IN ({dialects.marks(range(ids))})"
    return f"{where} ORDER BY {name('priority')} DESC, {name('id')} LIMIT %s"


@cache
def _selected(vendor: str, where: str, *, of_keys: bool, locks: bool = True) -> str:
    names = dialects.named(vendor, ("id",) if of_keys else _READ)
    # SQLite has one writer at a time.
    lock = " FOR UPDATE SKIP LOCKED" if locks and vendor != "sqlite" else ""
    return f"SELECT {names} FROM {dialects.quote(vendor, sql.TABLE)} WHERE {where}{lock}"  # noqa: S608


@cache
def _changed(vendor: str) -> str:
    def name(column: str) -> str:
        return dialects.quote(vendor, column)

    changes = (
        f"{name('status')} = %s, {name('owner_id')} = %s, {name('token')} = %s, {name('started_at')} = %s, "
        f"{name('attempt')} = {name('attempt')} + 1, {name('current')} = 0, {name('total')} = 0, "
        f"{name('message')} = '', {name('worker')} = ''"
    )
    return f"UPDATE {name(sql.TABLE)} SET {changes} WHERE {name('id')}"  # noqa: S608


def _read(row: tuple[Any, ...], token: int) -> Claim:
    values = dict(zip(_READ, row, strict=True))
    values["added_at"] = seconds(values["added_at"])
    values["due_at"] = None if values["due_at"] is None else seconds(values["due_at"])
    return Claim(token=token, **{**values, "suspect": bool(values["suspect"])})


def seconds(value: Any) -> float:
    """A moment as a database's driver gives it, in seconds since 1970."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if timezone.is_naive(moment):
        moment = moment.replace(tzinfo=UTC) if settings.USE_TZ else timezone.make_aware(moment)
    return float(moment.timestamp())
