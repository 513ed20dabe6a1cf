"""Add a job like another one."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from yao_tasks.core.errors import JobNotFound
from yao_tasks.dashboard.steering import (
    SUCCESS,
    WARNING,
    back,
    missing,
    operators_only,
    pool_that_can,
    record,
)
from yao_tasks.refusals import REFUSALS, refusal


@require_POST
@operators_only
def duplicate(request: HttpRequest, task: str, job_id: int, *, site: AdminSite) -> HttpResponse:
    """Add a new job with the arguments of this one."""
    pool = pool_that_can("add", task)
    try:
        info = pool.get(job_id)
        # At once: what the operator sees next must be true, in whatever transaction the request is.
        new = pool.using(on_commit=False).add(*info.args, **info.kwargs)
    except JobNotFound as error:
        return back(request, site, missing(pool, job_id, error))
    except REFUSALS as error:
        sentence = gettext("Job %(id)d of %(task)s was not duplicated.") % {"id": job_id, "task": pool.id}
        return back(request, site, (WARNING, f"{sentence} {refusal(error)}"))
    record(request, f"Duplicated job {job_id} of {pool.id}: job {new}.", pool, new)
    sentence = gettext("Duplicated job %(id)d of %(task)s: it is job %(new)d.")
    return back(request, site, (SUCCESS, sentence % {"id": job_id, "task": pool.id, "new": new}))
