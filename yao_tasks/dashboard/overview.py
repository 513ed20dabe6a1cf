"""The overview, and the part of it that the page fetches again and again."""

import hashlib
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from yao_tasks import conf, loading
from yao_tasks.dashboard.failures import recent_failures
from yao_tasks.dashboard.jobs import job_page
from yao_tasks.dashboard.names import OPERATE_JOBS, VIEW_JOBS
from yao_tasks.dashboard.pools import pool_row
from yao_tasks.dashboard.process import where
from yao_tasks.dashboard.readings import Reading, read_all


@require_safe
@permission_required(VIEW_JOBS, raise_exception=True)
def overview(request: HttpRequest, *, site: AdminSite) -> HttpResponseBase:
    """The whole page."""
    context = {**site.each_context(request), "title": gettext("Jobs"), **shown(request)}
    return render(request, "yao_tasks/dashboard/overview.html", context)


@require_safe
@permission_required(VIEW_JOBS, raise_exception=True)
def fragment(request: HttpRequest, *, site: AdminSite) -> HttpResponseBase:
    """The regions of the page that change, with an ETag: 304 where the browser has them already."""
    response = render(request, "yao_tasks/dashboard/_regions.html", shown(request))
    etag = quote_etag(hashlib.sha256(response.content).hexdigest())
    response["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=response) or response


def shown(request: HttpRequest) -> dict[str, Any]:
    """What the regions show: the process, what is wrong with the definitions, the pools, a page of jobs, failures."""
    readings = read_all()
    usable = [reading for reading in readings if isinstance(reading, Reading)]
    may_operate = request.user.has_perm(OPERATE_JOBS)
    return {
        "where": where(),
        "faults": [*conf.faults(), *loading.loaded().faults],
        "pools": [pool_row(reading, may_operate=may_operate) for reading in readings],
        "jobs": job_page(usable, request.GET.get("page", ""), may_operate=may_operate),
        "failures": recent_failures(usable, may_operate=may_operate),
    }
