"""What is known of each task: from the memory of this process, and of recorded tasks from the rows of all."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from yao_tasks import boot, conf
from yao_tasks.core.definitions import Definition
from yao_tasks.journal import counting, lately, owners
from yao_tasks.journal.sql import aware

HOUR = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How busy it is: parts of 0 to 1."""

    memory: float
    processors: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNumbers:
    """One task. What ended did so within the last hour."""

    task: str
    fault: str = ""
    """Why it can't be used; the rest then says nothing."""
    waiting: int = 0
    """Jobs that could run, had they a worker."""
    running: int = 0
    worker_nums: int = 0
    succeeded: int = 0
    failed: int = 0
    run_time: float | None = None
    """Seconds that a run took on average; None where none has ended."""
    stuck: int = 0
    is_of_all: bool = False
    """Whether it speaks of all processes, not only of this one."""
    has_runners: bool = True
    """Whether a process lives that runs its jobs."""

    @property
    def success_rate(self) -> float | None:
        """0 to 1; None where none has ended."""
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else None


def of_all(definitions: Sequence[Definition], ask: Callable[[], "Rows"]) -> list[TaskNumbers]:
    """Each task's. `ask` is called once where some are recorded; raises what it raises."""
    rows = ask() if any(one.is_recorded for one in definitions) else None
    return [_of(one, rows) for one in definitions]


class Rows:
    """What the database says of recorded tasks, asked once. Raises django.db.Error."""

    def __init__(self) -> None:
        database = conf.current().database
        # In a block of its own: a failure inside the caller's transaction would break that.
        with transaction.atomic(using=database):
            self.live = counting.live(database)
            self.ended = lately.ended(database, aware(time.time() - HOUR))
            self.has_runners = owners.is_worked(database, aware(time.time()))


def _of(definition: Definition, rows: Rows | None) -> TaskNumbers:
    try:
        metrics = boot.engine(definition.id).metrics()
    except (ImproperlyConfigured, LookupError) as error:
        return TaskNumbers(task=definition.id, fault=str(error))
    if rows is not None and definition.is_recorded:
        return _of_rows(definition, metrics, rows)
    succeeded, failed = (sum(minute[key] for minute in metrics["minutes"]) for key in ("succeeded", "failed"))
    return TaskNumbers(
        task=definition.id,
        waiting=max(0, metrics["waiting"] - metrics["delayed"]),
        running=metrics["running"],
        worker_nums=metrics["worker_nums"],
        succeeded=succeeded,
        failed=failed,
        run_time=metrics["run_time"]["avg"] if metrics["run_time"]["max"] else None,
        stuck=metrics["stuck"],
    )


def _of_rows(definition: Definition, metrics: Mapping[str, Any], rows: Rows) -> TaskNumbers:
    live = rows.live.get(definition.id) or Counter()
    ended = rows.ended.get(definition.id, lately.NOTHING)
    return TaskNumbers(
        task=definition.id,
        waiting=live["waiting"],
        running=live["running"],
        worker_nums=metrics["worker_nums"],
        succeeded=ended.succeeded,
        failed=ended.failed,
        run_time=ended.run_time,
        stuck=metrics["stuck"],
        is_of_all=True,
        has_runners=rows.has_runners or not definition.durable,
    )
