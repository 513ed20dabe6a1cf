"""The page of one pool: what it is set to, what it does, how its last hour was."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from yao_tasks import loading
from yao_tasks.core.jobs import RUNNING_NAME
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
    """A worker that runs a job."""

    name: str
    job_id: int
    since: datetime
    time: str


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
        "worker_type": config.worker_type,
        "workers": _workers(reading),
        "idle": max(0, reading.metrics["workers"] - reading.metrics["running"] - reading.metrics["stuck"]),
        "chart": chart([reading.metrics["minutes"]]),
        "times": times(reading.metrics),
        "values": partial(values_of, config, reading.metrics),
        "path": config.path,
        "text": partial(file_text, config.path),
        "has_changed": has_changed(config),
    }


pool, pool_fragment = _views


def _workers(reading: Reading) -> list[WorkerRow]:
    if not reading.metrics["running"] or "search" not in reading.supports:
        return []
    now = timezone.now()
    found = reading.pool.search(status=RUNNING_NAME, order="added_at", limit=MOST_WORKERS)
    return [
        WorkerRow(
            name=info.worker or "",
            job_id=info.id,
            since=info.started_at or info.added_at,
            time=duration((now - (info.started_at or info.added_at)).total_seconds()),
        )
        for info in found
    ]
