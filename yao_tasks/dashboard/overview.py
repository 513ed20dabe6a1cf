"""The overview: what is wrong, the numbers, the pools, the live jobs, the failures."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext

from yao_tasks import conf, loading
from yao_tasks.dashboard.charts import chart
from yao_tasks.dashboard.counts import Counts
from yao_tasks.dashboard.failures import FailureRow, recent_failures
from yao_tasks.dashboard.jobs import job_page
from yao_tasks.dashboard.names import OPERATE_JOBS
from yao_tasks.dashboard.pages import page
from yao_tasks.dashboard.pools import pool_row
from yao_tasks.dashboard.process import where
from yao_tasks.dashboard.readings import Reading, read_all
from yao_tasks.dashboard.tiles import tiles_of
from yao_tasks.dashboard.wrong import wrongs


@page("overview")
def _views(request: HttpRequest) -> dict[str, Any]:
    readings = read_all()
    usable = [reading for reading in readings if isinstance(reading, Reading)]
    may_operate = request.user.has_perm(OPERATE_JOBS)
    failures = recent_failures(usable, may_operate=may_operate)
    errors = _last_errors(failures)
    counts, here = Counts(usable), where()
    return {
        "title": gettext("Overview"),
        "tab": "overview",
        "where": here,
        "faults": [*conf.faults(), *loading.loaded().faults],
        "wrongs": wrongs(readings),
        "tiles": tiles_of(usable, counts, is_alone=here.is_alone),
        "counts_note": counts.note,
        "chart": chart(reading.metrics["minutes"] for reading in usable),
        "pools": [
            pool_row(reading, may_operate=may_operate, last_error=errors.get(_task(reading), ""))
            for reading in readings
        ],
        "can_pause": may_operate and any(not reading.metrics["paused"] for reading in usable),
        "can_resume": may_operate and any(reading.metrics["paused"] for reading in usable),
        "jobs": job_page(usable, counts, request.GET.get("page", ""), may_operate=may_operate),
        "failures": failures,
    }


overview, fragment = _views


def _task(reading: Any) -> str:
    return reading.config.id if isinstance(reading, Reading) else str(reading.task)


def _last_errors(failures: Sequence[FailureRow]) -> dict[str, str]:
    """By task: the type of the exception that it failed with last."""
    # The latest of each comes last.
    return {failure.task: failure.type.rpartition(".")[2] for failure in reversed(failures)}
