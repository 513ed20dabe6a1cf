"""How busy this machine is, asked without waiting: parts of 0 to 1, of the processors and of the memory.

    cpu_usage()       of the processors, since the last look
    load_average()    of the processors, over the last minute
    memory_usage()    of the memory

psutil answers where it is installed, else what the operating system tells: /proc on Linux, the load average elsewhere.
The whole machine is meant: a limit of a container's is not known here.
"""

import os
import time
from collections.abc import Callable
from functools import cache
from threading import RLock
from types import ModuleType
from typing import NamedTuple

# Looks that come closer together are answered by the last one: ticks of 10 ms would make leaps of it (s).
CLOSEST = 0.2


class Ticks(NamedTuple):
    """What the processors have done since the machine began, in any unit."""

    busy: float
    total: float


class Processors:
    """How busy they were between two looks. Any thread may ask."""

    def __init__(
        self, ticks: Callable[[], Ticks | None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.ticks = ticks
        self.monotonic = monotonic
        # Guards all below. Reentrant, as a finalizer may ask while another look is under way.
        self._guard = RLock()
        self._last: Ticks | None = None
        self._looked_at = float("-inf")
        self._usage: float | None = None

    def usage(self) -> float | None:
        """0 to 1 since the look before; None before the second look, and where nobody can tell."""
        with self._guard:
            now = self.monotonic()
            if now - self._looked_at >= CLOSEST:
                self._look(now)
            return self._usage

    def _look(self, now: float) -> None:
        last, ticks = self._last, self.ticks()
        self._last, self._looked_at = ticks, now
        if last is not None and ticks is not None and ticks.total > last.total:
            self._usage = _part(ticks.busy - last.busy, ticks.total - last.total)


def cpu_usage() -> float:
    """0 to 1: how much of the processors was used since somebody last asked; at first, the load average."""
    usage = _processors.usage()
    return load_average() if usage is None else usage


def load_average() -> float:
    """0 to 1: processes that ran or wanted to in the last minute, for each processor; 0 where nobody can tell."""
    try:
        return _part(os.getloadavg()[0], os.cpu_count() or 1)
    except (OSError, AttributeError):
        # Windows has none.
        return 0.0


def memory_usage() -> float:
    """0 to 1: how much of the memory isn't available any more; 0 where nobody can tell."""
    psutil = _psutil()
    if psutil is not None:
        memory = psutil.virtual_memory()
        return _part(memory.total - memory.available, memory.total)
    sizes = dict(line.split(":", 1) for line in _lines("/proc/meminfo") if ":" in line)
    total, free = (int((sizes.get(name) or "0").split()[0]) for name in ("MemTotal", "MemAvailable"))
    return _part(total - free, total)


def _part(some: float, whole: float) -> float:
    return min(1.0, max(0.0, some / whole)) if whole > 0 else 0.0


def _ticks() -> Ticks | None:
    psutil = _psutil()
    if psutil is not None:
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # What guests take is counted as a user's, too.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return Ticks(busy=total - idle, total=total)
    # proc_stat(5): user nice system idle iowait irq softirq steal, and twice what guests take.
    name, *numbers = (_lines("/proc/stat") or [""])[0].split() or [""]
    if name != "cpu" or len(numbers) < 8:
        return None
    spent = [int(number) for number in numbers[:8]]
    return Ticks(busy=sum(spent) - spent[3] - spent[4], total=sum(spent))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


@cache
def _psutil() -> ModuleType | None:
    try:
        import psutil
    except ImportError:
        return None
    module: ModuleType = psutil
    return module


_processors = Processors(_ticks)
