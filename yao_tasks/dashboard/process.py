"""Which process a page shows. Each has jobs of its own in its memory, and each request may land in another."""

import os
from dataclasses import dataclass

from yao_tasks import boot


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The process that draws a page, among those of this site on this machine that have jobs."""

    pid: int
    pids: tuple[int, ...]
    """All of them in order, this one included."""

    @property
    def position(self) -> int:
        """The place of this process among them, from 1."""
        return self.pids.index(self.pid) + 1

    @property
    def is_alone(self) -> bool:
        """Whether no other process has jobs."""
        return len(self.pids) == 1


def where() -> Where:
    """Ask which processes live now."""
    pid = os.getpid()
    return Where(pid=pid, pids=tuple(sorted({pid, *boot.processes()})))
