"""What is wrong with the database and the state folder of durable jobs."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from yao_tasks import conf, loading
from yao_tasks.core.faults import Code, Fault, shown

# Beside those of handlers: the clerk's, and the one that writes history.
OWN_CONNECTIONS = 2
# File systems whose locks other machines may not see, or that may lose them.
NETWORKS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "ceph", "glusterfs", "fuse.glusterfs")
_SQLITE_HINT = (
    'Set OPTIONS: {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL; '
    'PRAGMA synchronous=NORMAL;"}.'
)


def faults() -> list[Fault]:
    """What the settings alone tell. Asks no database; never raises."""
    if not loading.durable_tasks():
        return []
    now = conf.current()
    config = settings.DATABASES.get(now.database, {})
    options: Any = config.get("OPTIONS") or {}
    found = [_elsewhere(now.database), _mode(now.database, options), _too_few(now.database, options)]
    return [fault for fault in [*found, _state_dir(now.state_dir)] if fault is not None]


def faults_of(database: str) -> list[Fault]:
    """What a look at the database tells. Raises django.db.Error."""
    connection = connections[database]
    if connection.vendor != "sqlite" or not loading.durable_tasks():
        return []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = str(cursor.fetchone()[0])
    if mode.lower() in ("wal", "memory"):
        return []
    text = (
        f"The database {shown(database)} is SQLite with journal_mode {mode}: who reads holds up who writes."
    )
    return [Fault(code=Code.SQLITE, text=text, hint=_SQLITE_HINT)]


def _elsewhere(database: str) -> Fault | None:
    if database == DEFAULT_DB_ALIAS:
        return None
    text = (
        f'settings.YAO_TASKS: "DATABASE" is {shown(database)}, and tasks are durable: their jobs are committed with '
        f'the rows of "{database}", not with those of "{DEFAULT_DB_ALIAS}".'
    )
    return Fault(
        code=Code.OTHER_DATABASE,
        text=text,
        hint=f'Add them in transactions of "{database}", or name the default one.',
    )


def _mode(database: str, options: dict[str, Any]) -> Fault | None:
    mode = str(options.get("transaction_mode") or "DEFERRED").upper()
    if connections[database].vendor != "sqlite" or mode in ("IMMEDIATE", "EXCLUSIVE"):
        return None
    text = (
        f"settings.DATABASES[{shown(database)}] is SQLite with transaction_mode {mode}: several writers at once are "
        'told that the "database is locked".'
    )
    return Fault(code=Code.SQLITE, text=text, hint=_SQLITE_HINT)


def _too_few(database: str, options: dict[str, Any]) -> Fault | None:
    pool = options.get("pool")
    most = pool.get("max_size") if isinstance(pool, dict) else None
    read = loading.loaded()
    wanted = sum(one.worker_nums for one in read.definitions.values() if one.durable) + OWN_CONNECTIONS
    if not isinstance(most, int) or most >= wanted:
        return None
    text = (
        f"settings.DATABASES[{shown(database)}]: the pool has {most} connections at most, and the workers of durable "
        f"tasks may use {wanted} at once in one process."
    )
    return Fault(
        code=Code.CONNECTIONS, text=text, hint=f'Set "max_size" to {wanted} or more, or "worker_nums" lower.'
    )


def _state_dir(folder: Path) -> Fault | None:
    given = getattr(settings, "YAO_TASKS", {})
    if isinstance(given, dict) and "STATE_DIR" not in given:
        text = (
            f'settings.YAO_TASKS: "STATE_DIR" isn\'t set, and tasks are durable. It is {folder} now, which a restart '
            "of the machine may empty, and processes with another temporary folder don't see."
        )
        return Fault(code=Code.STATE_DIR, text=text, hint="Name a private folder on a local disk.")
    kind = file_system(folder)
    if kind not in NETWORKS:
        return None
    network = f"{folder}, on a network file system ({kind})"
    text = f'settings.YAO_TASKS: "STATE_DIR" is {network}: its locks can\'t be relied on.'
    return Fault(code=Code.STATE_DIR, text=text, hint="Name a folder on a disk of this machine.")


def file_system(folder: Path) -> str:
    """The kind of file system that a folder is on, in the kernel's words; empty where that can't be seen."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    mounts = [
        (line.split()[1].replace("\\040", " "), line.split()[2]) for line in lines if len(line.split()) > 2
    ]
    where = os.path.realpath(folder)
    inside = [
        (point, kind) for point, kind in mounts if where == point or where.startswith(point.rstrip("/") + "/")
    ]
    # The innermost, and of several in one place the last.
    return max(enumerate(inside), key=lambda one: (len(one[1][0]), one[0]))[1][1] if inside else ""
