"""How a process proves its life to those who would take its jobs: a locked file, and a lease.

On its own machine the kernel knows: the lock is free at once after any death, and never before. Elsewhere nobody
can look, and the lease counts: on the database's clock, renewed all the time.
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from yao_tasks.core.log import logger
from yao_tasks.core.state import open_file, open_folder
from yao_tasks.journal import owners
from yao_tasks.journal.sql import in_utc
from yao_tasks.models import JobOwner

# How long a lease lasts, and how often it is renewed: three may be missed (s).
SECONDS = 30.0
EVERY = 7.5

_open: set[int] = set()


class Lock:
    """This process's file in the state folder. `take` and `release` are for one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = ""
        self._file: int | None = None

    def take(self) -> str:
        """Lock a new file. Answers its name; empty where there can be none: then the lease alone counts."""
        if self._file is None:
            name = f"owner-{secrets.token_hex(12)}.lock"
            try:
                self._file = open_file(self.folder, name)
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                logger.warning("This process can show that it lives by its lease alone: %s", error)
                return ""
            _open.add(self._file)
            self.name = name
        return self.name

    def release(self) -> None:
        """Let the file go, and remove it."""
        if self._file is not None:
            remove(self.folder, self.name)
            _open.discard(self._file)
            os.close(self._file)
            self._file = None


def after_fork() -> None:
    """In a forked child: close the files that are the parent's, so that they are free when it dies."""
    for file in _open:
        with contextlib.suppress(OSError):
            os.close(file)
    _open.clear()


def is_dead(owner: JobOwner, folder: Path, now: float) -> bool:
    """Whether the process is known to be dead. `now`: seconds since 1970, by the database's clock."""
    known = owners.identity(owner).is_alive()
    if known is False:
        return True
    held = is_held(folder, owner.lock)
    if held is not None:
        return not held
    if known:
        # On this machine, however late its lease is: it may be stopped.
        return False
    until = in_utc(owner.lease_until)
    return until is None or until.timestamp() < now


def is_held(folder: Path, name: str) -> bool | None:
    """Whether a process has its file locked; None where there is no such file here."""
    if not name.startswith("owner-") or "/" in name:
        return None
    try:
        directory = open_folder(folder)
    except OSError:
        return None
    try:
        file = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    finally:
        os.close(directory)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def remove(folder: Path, name: str) -> None:
    """Remove the file of a process that needs it no longer."""
    with contextlib.suppress(OSError):
        (folder / name).unlink()
