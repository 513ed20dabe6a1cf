"""The pools as a table shows them: numbers and bars, or the sentence that says why a task can't be used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext

from yao_tasks.core.definitions import Definition
from yao_tasks.core.errors import TaskNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.dashboard.durations import duration
from yao_tasks.pools import Pool, tasks

# From here on a queue is called nearly full.
NEARLY_FULL = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A pool that was asked once, so that all that a page says of it is of one moment."""

    pool: Pool
    config: Definition
    metrics: Mapping[str, Any]
    jobs: Mapping[int, JobInfo]
    supports: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A task without a pool. `fault` says why, in sentences."""

    task: str
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much of something is used. `level` is `amber`, `red` or empty; `word` says the same to all who read."""

    value: int
    most: int
    level: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """One line of the table of pools. A task that can't be used has its id and its `fault` only."""

    task: str
    name: str = ""
    fault: str = ""
    workers: Bar | None = None
    queue: Bar | None = None
    oldest_waiting: str = ""
    delayed: int = 0
    succeeded: int = 0
    failed: int = 0
    failures: str = ""
    """The failures by kind, where there are any."""
    retried: int = 0
    refused: int = 0
    stuck: int = 0
    failed_events: int = 0
    slow_events: tuple[str, ...] = ()


def read_all() -> list[Reading | Unusable]:
    """Ask each task's pool, in the order of their ids. A task at fault is an answer, too."""
    return [reading for task in tasks if (reading := _read(task)) is not None]


def _read(task: str) -> Reading | Unusable | None:
    try:
        pool = tasks[task]
        return Reading(
            pool=pool, config=pool.config, metrics=pool.metrics(), jobs=pool.jobs, supports=pool.supports
        )
    except ImproperlyConfigured as error:
        return Unusable(task=task, fault=str(error))
    except TaskNotFound:
        # Its file went away since the list was made: the definitions were read anew.
        return None


def pool_row(reading: Reading | Unusable) -> PoolRow:
    """The pool's line."""
    if isinstance(reading, Unusable):
        return PoolRow(task=reading.task, fault=reading.fault)
    now, config = reading.metrics, reading.config
    # What is delayed has been let in once, and takes no place again.
    queued = max(0, now["waiting"] - now["delayed"])
    return PoolRow(
        task=config.id,
        name=config.name,
        workers=Bar(value=now["running"], most=config.worker_nums),
        queue=queue_bar(queued, config.size),
        oldest_waiting=duration(now["oldest_waiting"]) if queued else "",
        delayed=now["delayed"],
        succeeded=now["succeeded"],
        failed=sum(now["failed"].values()),
        failures=", ".join(_failures(now["failed"])),
        retried=now["retried"],
        refused=now["refused"],
        stuck=now["stuck"],
        failed_events=now.get("failed_events", 0),
        slow_events=tuple(now.get("slow_events", ())),
    )


def queue_bar(waiting: int, size: int) -> Bar:
    """How full a queue is, with a colour and a word once somebody should look."""
    if waiting >= size:
        return Bar(value=waiting, most=size, level="red", word=gettext("full"))
    if waiting >= size * NEARLY_FULL:
        return Bar(value=waiting, most=size, level="amber", word=gettext("nearly full"))
    return Bar(value=waiting, most=size)


def _failures(by_kind: Mapping[str, int]) -> Iterator[str]:
    words = {
        "raised": gettext("%(count)d raised"),
        "timeout": gettext("%(count)d timed out"),
        "cancelled": gettext("%(count)d cancelled"),
        "lost": gettext("%(count)d lost"),
    }
    return (words[kind] % {"count": count} for kind, count in by_kind.items() if count and kind in words)
