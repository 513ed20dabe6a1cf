"""The pools, each asked once for a page."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from yao_tasks import loading
from yao_tasks.core.definitions import Definition
from yao_tasks.core.errors import TaskNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.dashboard.durable import pauses
from yao_tasks.pools import Pool, tasks
from yao_tasks.redaction import Redaction

# A page that refreshes itself would import a module that fails again and again, with whatever it does
# until it fails: for so long (s) its fault is shown without trying.
FAULT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A pool that was asked once, so that all that a page says of it is of one moment."""

    pool: Pool
    config: Definition
    metrics: Mapping[str, Any]
    jobs: Mapping[int, JobInfo]
    supports: frozenset[str]
    redaction: Redaction

    @property
    def is_recorded(self) -> bool:
        """Whether it has jobs in the database, too, which its numbers don't count."""
        return "record" in self.supports or "durable" in self.supports


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A task without a pool. `fault` says why, in sentences."""

    task: str
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    unusable: Unusable
    until: float
    # What was read of the files then: once they are read anew, the fault may be gone.
    loaded: object


_faults: dict[str, _Fault] = {}


def read_all() -> list[Reading | Unusable]:
    """Ask each task's pool, in the order of their ids. A task at fault is an answer, too."""
    return [reading for task in tasks if (reading := read_one(task)) is not None]


def reading_of(pool: Pool) -> Reading:
    """Ask one pool. ImproperlyConfigured, TaskNotFound."""
    config = pool.config
    return Reading(
        pool=pool,
        config=config,
        metrics=_metrics(pool),
        jobs=pool.jobs,
        supports=pool.supports,
        redaction=Redaction(config),
    )


def _metrics(pool: Pool) -> Mapping[str, Any]:
    numbers = pool.metrics()
    return {**numbers, "paused": pool.id in pauses()} if "durable" in pool.supports else numbers


def read_one(task: str) -> Reading | Unusable | None:
    """Ask one task's pool. None where there is no such task (any more)."""
    now, loaded = time.monotonic(), loading.loaded()
    known = _faults.get(task)
    if known is not None and known.loaded is loaded and now < known.until:
        return known.unusable
    try:
        pool = tasks[task]
        return reading_of(pool)
    except ImproperlyConfigured as error:
        unusable = Unusable(task=task, fault=str(error))
        _faults[task] = _Fault(unusable=unusable, until=now + FAULT_SECONDS, loaded=loaded)
        return unusable
    except TaskNotFound:
        # Its file went away since the list was made: the definitions were read anew.
        return None
