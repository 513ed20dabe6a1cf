"""Job ids: increasing in a process, never the same twice on a machine.

A process takes blocks of 2**16 ids from a file that all processes of the site share. The next block is the
last one plus one, or the centiseconds since 2026, whichever is more: so ids survive restarts and a lost
file. The file remembers who took the last blocks, so that a stranger's id can be named.
"""

import fcntl
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from yao_tasks.core.log import logger
from yao_tasks.core.state import open_file

BLOCK = 2**16
# 2**53: the largest integer that JavaScript reads exactly.
LIMIT = 2**53
# 2026-01-01 in seconds since 1970.
EPOCH = 1_767_225_600
# Blocks of the upper half are for processes without a file: no clock reaches them before 2047.
RANDOM_BLOCKS = (LIMIT // BLOCK // 2, LIMIT // BLOCK * 3 // 4)
REMEMBERED = 256
FILE = "ids.json"
# Whoever has the file locked reads and writes a few kilobytes (s).
PATIENCE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that took a block of ids."""

    block: int
    pid: int
    born: str
    """When the process was born, in the kernel's words: a later process with this pid has another."""

    @property
    def is_alive(self) -> bool:
        """Whether that very process still lives."""
        return birth(self.pid) == self.born


class Ids:
    """The ids of this process. Any thread may call any method."""

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.wall = wall
        self.pid = os.getpid()
        # Guards the change to the next block.
        self._changing = threading.Lock()
        self._block = -1
        self._taken: set[int] = set()
        self._ids = iter(range(0))

    def next(self) -> int:
        """A new id."""
        try:
            # One C call: no two threads get the same.
            return next(self._ids)
        except StopIteration:
            return self._from_next_block()

    def leave_block(self, job_id: int) -> None:
        """The block of this id is another machine's, too: go on with a new one."""
        with self._changing:
            if job_id // BLOCK == self._block:
                self._ids = iter(range(0))

    def is_ours(self, job_id: int) -> bool:
        """Whether the id is of a block that this process has taken."""
        return job_id // BLOCK in self._taken

    def owner(self, job_id: int) -> Owner | None:
        """The process that took the id's block, if the file still knows it."""
        return next((owner for owner in self.owners() if owner.block == job_id // BLOCK), None)

    def processes(self) -> list[int]:
        """The pids of the live processes that have taken ids here, this one among them once it has."""
        return sorted({owner.pid for owner in self.owners() if owner.is_alive})

    def owners(self) -> list[Owner]:
        """Who took the last blocks, dead processes too, the oldest first. Empty where there is no file."""
        try:
            with _locked(self.folder, fcntl.LOCK_SH) as file:
                return _read(file.read())
        except OSError:
            return []

    def _from_next_block(self) -> int:
        with self._changing:
            try:
                return next(self._ids)  # another thread was first
            except StopIteration:
                self._block = self._take()
                self._taken.add(self._block)
                first = self._block * BLOCK
                self._ids = iter(range(max(first, 1), first + BLOCK))
                return next(self._ids)

    def _take(self) -> int:
        try:
            return self._take_from_file()
        except OSError as error:
            if self._block < RANDOM_BLOCKS[0]:
                logger.warning("Job ids start at a random number, since no file could be kept: %s", error)
                return random.SystemRandom().randrange(*RANDOM_BLOCKS)
            return self._block + 1

    def _take_from_file(self) -> int:
        with _locked(self.folder, fcntl.LOCK_EX) as file:
            owners = _read(file.read())
            last = owners[-1].block if owners else 0
            block = max(last + 1, int((self.wall() - EPOCH) * 100))
            owners.append(Owner(block=block, pid=os.getpid(), born=birth(os.getpid())))
            file.seek(0)
            file.write(json.dumps([asdict(owner) for owner in owners[-REMEMBERED:]]))
            file.truncate()
        return block


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[TextIO]:
    """The file, locked. Raises OSError (UnsafeStateDir, TimeoutError) where that can't be had."""
    with os.fdopen(open_file(folder, FILE), "r+", encoding="utf-8") as file:
        _lock(file, kind)
        try:
            yield file
            file.flush()
        finally:
            # Said in words: a child that was forked just now has the open file, too, and closing ours alone
            # would leave it locked for as long as the child lives.
            fcntl.flock(file, fcntl.LOCK_UN)


def _lock(file: TextIO, kind: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError(f"{FILE} has been locked for {PATIENCE:g} s") from None
            time.sleep(0.001)


def birth(pid: int) -> str:
    """When a process was born: clock ticks since boot on Linux, else `alive`; empty where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # Field 22 of proc(5); the second is a name in brackets, which may hold anything.
        state, ticks = stat.rpartition(")")[2].split()[0], stat.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return _birth_elsewhere(pid)
    # A zombie has ended: it only waits to be noticed.
    return "" if state in "ZX" else ticks


def _birth_elsewhere(pid: int) -> str:
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"


def _read(text: str) -> list[Owner]:
    try:
        return [
            Owner(block=int(o["block"]), pid=int(o["pid"]), born=str(o["born"])) for o in json.loads(text)
        ]
    except (ValueError, TypeError, KeyError):
        # Empty, or cut short by a crash: the centiseconds keep ids from coming twice.
        return []
