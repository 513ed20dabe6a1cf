"""The statement that writes rows, many at a time: new ones and changed ones alike.

One statement for both, so that a batch whose commit was lost on the way can simply be written again. What
belongs to another process is left alone: two machines may have given the same id.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db import NotSupportedError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from yao_tasks.models import JobRecord

VENDORS = ("sqlite", "postgresql", "mysql")
"""As Django names them; MariaDB is `mysql`."""
# The order of `RowsOf.values`.
COLUMNS = (
    "task",
    "job_id",
    "status",
    "kind",
    "args",
    "priority",
    "timeout",
    "added_at",
    "due_at",
    "started_at",
    "ended_at",
    "attempt",
    "base",
    "worker",
    "current",
    "total",
    "message",
    "result",
    "error_type",
    "error",
    "traceback",
    "runs",
    "owner_id",
)
_FIXED = {"task", "job_id", "args", "priority", "timeout", "added_at", "owner_id"}
CHANGING = tuple(column for column in COLUMNS if column not in _FIXED)
# What only a durable job needs.
_UNUSED = {"durable": False, "key": "", "carried": "", "crashes": 0, "suspect": False}


def write(connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert or change rows, each a tuple of `COLUMNS`. Raises django.db.Error, NotSupportedError among them."""
    values = [(*row, *_REST) for row in rows]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Column by column: a third faster there than row by row.
            cursor.execute(statement("postgresql"), [list(column) for column in zip(*values, strict=True)])
        else:
            cursor.executemany(statement(connection.vendor), values)


FIELDS = {field.column: field for field in JobRecord._meta.local_fields}
# PostgreSQL's, of Django's fields.
TYPES = {
    "BigAutoField": "bigint",
    "BigIntegerField": "bigint",
    "BooleanField": "boolean",
    "CharField": "text",
    "DateTimeField": "timestamptz",
    "FloatField": "double precision",
    "ForeignKey": "bigint",
    "IntegerField": "integer",
    "SmallIntegerField": "smallint",
    "TextField": "text",
}
_REST: tuple[Any, ...] = tuple(_UNUSED.values())


@cache
def statement(vendor: str) -> str:
    """The statement, in the words of a database. NotSupportedError for one that isn't known here."""
    mark = "`" if vendor == "mysql" else '"'

    def quote(name: str) -> str:
        return f"{mark}{name}{mark}"

    table = quote(JobRecord._meta.db_table)
    names = (*COLUMNS, *_UNUSED)
    places = ", ".join(["%s"] * len(names))
    values = f"VALUES ({places})"
    if vendor == "postgresql":
        arrays = ", ".join(f"%s::{TYPES[FIELDS[name].get_internal_type()]}[]" for name in names)
        values = f"SELECT * FROM UNNEST({arrays})"  # noqa: S608 - names of our own
    into = f"{table} ({', '.join(map(quote, names))})"
    insert = f"INSERT INTO {into} {values}"
    owner = quote("owner_id")
    if vendor in ("sqlite", "postgresql"):
        changes = ", ".join(f"{quote(name)} = EXCLUDED.{quote(name)}" for name in CHANGING)
        key = f"{quote('task')}, {quote('job_id')}"
        return (
            f"{insert} ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {table}.{owner} = EXCLUDED.{owner}"
        )
    if vendor == "mysql":
        changes = ", ".join(
            f"{quote(name)} = IF({owner} = VALUES({owner}), VALUES({quote(name)}), {quote(name)})"
            for name in CHANGING
        )
        return f"{insert} ON DUPLICATE KEY UPDATE {changes}"
    raise NotSupportedError(
        f"yao_tasks records jobs in SQLite, PostgreSQL, MariaDB and MySQL, and not in {vendor}."
    )


def moments(connection: BaseDatabaseWrapper) -> Callable[[float], Any]:
    """What makes seconds since 1970 into what a column of the database takes."""
    adapt = connection.ops.adapt_datetimefield_value

    def moment(at: float) -> Any:
        return adapt(aware(at))

    return moment


def aware(at: float) -> datetime:
    """The moment as models of this project keep it: aware, or naive in its own zone where USE_TZ is off."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment if settings.USE_TZ else timezone.make_naive(moment)


def in_utc(moment: datetime | None) -> datetime | None:
    """A moment of a row, aware and in UTC."""
    if moment is None:
        return None
    return (timezone.make_aware(moment) if timezone.is_naive(moment) else moment).astimezone(UTC)


TABLE = JobRecord._meta.db_table


def probe(vendor: str) -> str:
    """A statement that needs the right to write, and changes nothing."""
    mark = "`" if vendor == "mysql" else '"'
    return f"DELETE FROM {mark}{TABLE}{mark} WHERE 1 = 0"  # noqa: S608 - a name of our own
