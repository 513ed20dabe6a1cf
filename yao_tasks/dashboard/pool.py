"""The page of one pool: what it is set to, what it does, how its last hour was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from yao_tasks import loading
from yao_tasks.dashboard.charts import chart, times
from yao_tasks.dashboard.configured import file_text, has_changed, messages_of, values_of
from yao_tasks.dashboard.durations import duration
from yao_tasks.dashboard.names import OPERATE_JOBS
from yao_tasks.dashboard.pages import NoPage, page
from yao_tasks.dashboard.pools import pool_row
from yao_tasks.dashboard.readings import Reading, Unusable, read_one

# A pool may have 1,000 workers.
MOST_WORKERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker, with the job that it runs; a coroutine is there as long as that."""

    name: str
    job_id: int | None = None
    since: datetime | None = None
    """When the run began."""
    time: str = ""
    done: int | None = None
    """How many runs it has brought to an end; None where nobody counts."""
    began: datetime | None = None


@page("pool")
def _views(request: HttpRequest, *, task: str) -> dict[str, Any]:
    reading = read_one(task)
    if reading is None:
        raise NoPage(gettext("There is no task %(task)s.") % {"task": task})
    shown: dict[str, Any] = {
        "task": task,
        # Called where the template wants them: what doesn't change is in no fragment.
        "messages_of": partial(messages_of, task),
        "pool": pool_row(reading, may_operate=request.user.has_perm(OPERATE_JOBS)),
    }
    if isinstance(reading, Unusable):
        path = next((fault.path for fault in loading.loaded().faults if fault.task == task), None)
        definition = loading.loaded().definitions.get(task)
        path = definition.path if definition is not None else path
        return shown | {"title": task, "path": path, "text": partial(file_text, path)}
    config = reading.config
    return shown | {
        "title": config.name,
        "numbers": {name: reading.metrics[name] for name in ("running", "waiting", "workers")},
        "worker_type": reading.metrics["worker_type"],
        "workers": _workers(reading),
        "idle": max(0, reading.metrics["workers"] - reading.metrics["running"] - reading.metrics["stuck"]),
        "today": timezone.localdate(),
        "chart": chart([reading.metrics["minutes"]]),
        "times": times(reading.metrics),
        "values": partial(values_of, config, reading.metrics),
        "path": config.path,
        "text": partial(file_text, config.path),
        "has_changed": has_changed(config),
    }


pool, pool_fragment = _views


def _workers(reading: Reading) -> list[WorkerRow]:
    """Those that run a job, the longest first, then the others."""
    now = timezone.now()
    return [_worker(one, now) for one in reading.metrics["crew"][:MOST_WORKERS]]


def _worker(one: Mapping[str, Any], now: datetime) -> WorkerRow:
    since, began = _moment(one["started"]), _moment(one["since"])
    return WorkerRow(
        name=one["worker"],
        job_id=one["job"],
        since=since,
        time="" if since is None else duration(max(0.0, (now - since).total_seconds())),
        done=one["done"],
        began=began,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
