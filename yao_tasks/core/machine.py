"""Who a process is, beyond its pid: told so that another process can say whether it still lives."""

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from yao_tasks.core.ids import birth


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A process, the same for as long as it lives."""

    machine: str
    boot: str
    pid_space: str
    pid: int
    born: str

    def is_alive(self) -> bool | None:
        """Whether that process lives; None where that can't be seen: on another machine, in another container."""
        here = mine()
        if self.machine != here.machine:
            return None
        if self.boot != here.boot:
            return False
        if self.pid_space != here.pid_space:
            return None
        return birth(self.pid) == self.born


def mine() -> Identity:
    """This process."""
    pid = os.getpid()
    return Identity(machine=_machine(), boot=_boot(), pid_space=_pid_space(), pid=pid, born=birth(pid))


@cache
def _machine() -> str:
    # machine-id(5); where there is none, the host's name has to do.
    return _read("/etc/machine-id") or socket.gethostname()[:64]


@cache
def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


@cache
def _pid_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")[:32]
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()[:64]
    except (OSError, UnicodeDecodeError):
        return ""
