"""Database connections in threads of ours: closed after use, never left in a transaction."""

import logging
import threading
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("yao_tasks")


class _Here(threading.local):
    opened = False


_here = _Here()


def note(**_: Any) -> None:
    """Receiver of `connection_created`: this thread has opened a connection."""
    _here.opened = True


def tidy(task: str) -> None:
    """After a run: close this thread's connections. One read if it has none."""
    if _here.opened:
        _here.opened = False
        for connection in connections.all(initialized_only=True):
            try:
                _tidy(connection, task)
            except Exception:
                # A server that is gone must cost no worker; the next use opens a new connection.
                logger.exception(
                    '%s: the database connection "%s" couldn\'t be tidied.', task, connection.alias
                )
                del connections[connection.alias]


def close(task: str) -> None:
    """The same in a test: this thread leaves no connection open, so that its database can be deleted."""
    tidy(task)
    for connection in connections.all(initialized_only=True):
        connection.close()
        if connection.connection is not None:
            # Django keeps one to SQLite in memory open, since that ends with its last.
            connection.connection.close()
            del connections[connection.alias]
    _here.opened = False


def drop(alias: str) -> None:
    """Close this thread's connection to a database, whatever state it is in."""
    try:
        connections[alias].close()
    except Exception:  # noqa: BLE001 - it may be broken in any way
        del connections[alias]


def _tidy(connection: BaseDatabaseWrapper, task: str) -> None:
    if connection.connection is None:
        return
    left = _is_in_transaction(connection)
    if left:
        logger.warning(
            '%s: a job left the database connection "%s" in a transaction, which is rolled back. '
            "Leave each atomic block that a handler enters.",
            task,
            connection.alias,
            extra={"task": task, "job": None, "attempt": None},
        )
    # Whatever CONN_MAX_AGE says: what is kept is cut while its worker sleeps, and carries roles and settings from
    # one job into the next.
    connection.close()
    if left:
        # A new wrapper, since this one still believes to be inside the block.
        del connections[connection.alias]
    elif connection.connection is not None:
        # SQLite in memory, which would be gone if it were closed.
        _here.opened = True


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    if connection.in_atomic_block or not connection.get_autocommit() or connection.needs_rollback:
        return True
    # A BEGIN that Django didn't write: sqlite3 knows of it, and psycopg (0: idle). Others aren't asked.
    raw = connection.connection
    status = getattr(getattr(raw, "info", None), "transaction_status", 0)
    return bool(getattr(raw, "in_transaction", False) or status in (1, 2, 3))
