"""Have a failed job run again."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from yao_tasks.core.errors import JobNotFound
from yao_tasks.dashboard.steering import (
    INFO,
    SUCCESS,
    WARNING,
    Answer,
    back,
    missing,
    operators_only,
    pool_that_can,
    record,
)
from yao_tasks.pools import Pool
from yao_tasks.refusals import REFUSALS, refusal


@require_POST
@operators_only
def retry(request: HttpRequest, task: str, job_id: int, *, site: AdminSite) -> HttpResponse:
    """Run the failed job again under its id, with fresh attempts."""
    pool = pool_that_can("retry", task)
    refusal = _refusal(pool, job_id)
    if refusal is not None:
        return back(request, site, refusal)
    record(request, f"Retried job {job_id} of {pool.id}.", pool, job_id)
    sentence = gettext("Retried job %(id)d of %(task)s.") % {"id": job_id, "task": pool.id}
    return back(request, site, (SUCCESS, sentence))


def _refusal(pool: Pool, job_id: int) -> Answer | None:
    """Retry the job. Answers why that can't be, None where it is done."""
    names = {"id": job_id, "task": pool.id}
    try:
        pool.retry(job_id)
    except JobNotFound as error:
        return missing(pool, job_id, error)
    except REFUSALS as error:
        sentence = gettext("Job %(id)d of %(task)s was not retried.") % names
        return WARNING, f"{sentence} {refusal(error)}"
    except ValueError:
        sentence = gettext("Job %(id)d of %(task)s is no failure any more: only those can be retried.")
        return INFO, sentence % names
    return None
