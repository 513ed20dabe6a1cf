"""`tasks.metrics.…`, `tasks.statistics.…`, `tasks.queue.…` and `system.monitor.…`: plain numbers of all tasks.

Rates and times are those of the jobs that ended in the last hour. What a task that can't be used has is nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured

from yao_tasks import boot, loading
from yao_tasks.core import load
from yao_tasks.core.faults import shown
from yao_tasks.core.keys import nearest
from yao_tasks.process.words import Call, one_of


def waiting() -> int:
    """How many jobs wait."""
    return sum(one["waiting"] for one in _all())


def running() -> int:
    """How many jobs run."""
    return sum(one["running"] for one in _all())


def success_rate() -> float:
    """0 to 1: how many of the jobs that ended succeeded; 1 without any."""
    return 1.0 - error_rate()


def error_rate() -> float:
    """0 to 1: how many of the jobs that ended failed; 0 without any."""
    ended = failed = 0
    for one in _all():
        for minute in one["minutes"]:
            failed += minute["failed"]
            ended += minute["failed"] + minute["succeeded"]
    return failed / ended if ended else 0.0


def average_time() -> float:
    """Milliseconds that a run took; 0 without any."""
    total, count = 0.0, 0
    for one in _all():
        # A task that ended more jobs counts for more.
        ended = sum(minute["failed"] + minute["succeeded"] for minute in one["minutes"])
        total, count = total + one["run_time"]["avg"] * ended, count + ended
    return 1_000 * total / count if count else 0.0


def status() -> dict[str, Any]:
    """`active_tasks`, `max_tasks` (how many can run at once), `memory_usage` and `cpu_usage` (both 0 to 1)."""
    return {
        "active_tasks": running(),
        "max_tasks": sum(one.worker_nums for one in loading.loaded().definitions.values()),
        "memory_usage": load.memory_usage(),
        "cpu_usage": load.cpu_usage(),
    }


# By the name behind `tasks.`
OF_TASKS: dict[str, Callable[[], Any]] = {
    "metrics.queue_length": waiting,
    "metrics.waiting_jobs": waiting,
    "metrics.active_workers": running,
    "metrics.running_jobs": running,
    "metrics.success_rate": success_rate,
    "metrics.error_rate": error_rate,
    "metrics.avg_execution_time": average_time,
    "statistics.avg_time": average_time,
    "queue.length": waiting,
}

_OF_SYSTEM = {"monitor.status": status, "monitor.load": load.load_average}


def of_system(rest: str) -> Call:
    """What `system.<rest>` means. LookupError."""
    return Call(function=one_of(_OF_SYSTEM, rest, "system has no"))


def refuse(rest: str) -> NoReturn:
    """Raise LookupError: no task is called so, and no number."""
    raise LookupError(f"{shown('tasks.' + rest)} is no number of all tasks. {nearest(rest, OF_TASKS)}")


def _all() -> Iterator[Mapping[str, Any]]:
    for task in list(loading.loaded().definitions):
        try:
            yield boot.engine(task).metrics()
        except (ImproperlyConfigured, LookupError):
            # The checks tell of it; or its file has just gone away.
            continue
