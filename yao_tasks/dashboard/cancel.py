"""Cancel a job."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from yao_tasks.core.errors import JobNotFound
from yao_tasks.dashboard.steering import (
    INFO,
    SUCCESS,
    Answer,
    back,
    missing,
    operators_only,
    pool_that_can,
    record,
)
from yao_tasks.pools import Pool


@require_POST
@operators_only
def cancel(request: HttpRequest, task: str, job_id: int, *, site: AdminSite) -> HttpResponse:
    """End the job at once, whatever its thread still does."""
    pool = pool_that_can("cancel", task)
    try:
        if not pool.cancel(job_id):
            return back(request, site, _why_not(pool, job_id))
    except JobNotFound as error:
        # It lives in another process, which alone can steer it.
        return back(request, site, missing(pool, job_id, error))
    record(request, f"Cancelled job {job_id} of {pool.id}.", pool, job_id)
    sentence = gettext("Cancelled job %(id)d of %(task)s.") % {"id": job_id, "task": pool.id}
    return back(request, site, (SUCCESS, sentence))


def _why_not(pool: Pool, job_id: int) -> Answer:
    try:
        pool.get(job_id)
    except JobNotFound as error:
        return missing(pool, job_id, error)
    sentence = gettext("Job %(id)d of %(task)s had ended already.")
    return INFO, sentence % {"id": job_id, "task": pool.id}
