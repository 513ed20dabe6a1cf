"""Writing a batch of rows; where it is refused, each alone: one bad row keeps no other from its end."""

from collections.abc import Sequence

from django.db import DatabaseError, DataError, Error, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.core.faults import printable
from yao_tasks.core.log import logger
from yao_tasks.journal import sql


def write(connection: BaseDatabaseWrapper, rows: Sequence[tuple[object, ...]]) -> None:
    """Write rows, each a tuple of `sql.COLUMNS`. Raises django.db.Error where the database takes none at all."""
    try:
        _execute(connection, rows)
    except DatabaseError:
        if not _is_there(connection):
            raise
        _write_singly(connection, rows)


def _execute(connection: BaseDatabaseWrapper, rows: Sequence[tuple[object, ...]]) -> None:
    with transaction.atomic(using=connection.alias):
        sql.write(connection, rows)


def _write_singly(connection: BaseDatabaseWrapper, rows: Sequence[tuple[object, ...]]) -> None:
    for row in rows:
        error = _refusal(connection, row)
        if error is not None and not isinstance(error, DataError | IntegrityError):
            # It is no matter of the row: the disk is full, say. What is written already is simply written again.
            raise error
        if error is not None:
            logger.error(
                "%s: job %s can't be recorded as it is now: %s",
                row[0],
                row[1],
                printable(str(error).strip()),
                extra={"task": row[0], "job": row[1], "attempt": None},
            )


def _refusal(connection: BaseDatabaseWrapper, row: tuple[object, ...]) -> DatabaseError | None:
    """Why a row can't be written, in plain ASCII either: a table may know fewer letters than Unicode has."""
    try:
        _execute(connection, [row])
    except DatabaseError:
        try:
            _execute(connection, [tuple(map(_in_ascii, row))])
        except DatabaseError as error:
            return error
    return None


def _is_there(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database can be written to, so that it must be the row that is refused."""
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(sql.probe(connection.vendor))
    except Error:
        return False
    return True


def _in_ascii(value: object) -> object:
    return value.encode("ascii", "backslashreplace").decode() if isinstance(value, str) else value
