"""The overview: what is wrong, the pools, the live jobs, the last failures."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext

from yao_tasks import conf, loading
from yao_tasks.dashboard.failures import recent_failures
from yao_tasks.dashboard.jobs import job_page
from yao_tasks.dashboard.names import OPERATE_JOBS
from yao_tasks.dashboard.pages import page
from yao_tasks.dashboard.pools import pool_row
from yao_tasks.dashboard.process import where
from yao_tasks.dashboard.readings import Reading, read_all


@page("overview")
def _views(request: HttpRequest) -> dict[str, Any]:
    readings = read_all()
    usable = [reading for reading in readings if isinstance(reading, Reading)]
    may_operate = request.user.has_perm(OPERATE_JOBS)
    return {
        "title": gettext("Jobs"),
        "where": where(),
        "faults": [*conf.faults(), *loading.loaded().faults],
        "pools": [pool_row(reading, may_operate=may_operate) for reading in readings],
        "jobs": job_page(usable, request.GET.get("page", ""), may_operate=may_operate),
        "failures": recent_failures(usable, may_operate=may_operate),
    }


overview, fragment = _views
