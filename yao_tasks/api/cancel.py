"""Cancel a job."""

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase, JsonResponse

from yao_tasks.api.access import no_forgery, only_operators
from yao_tasks.api.answers import Refused, answers, missing
from yao_tasks.api.bodies import refuse_too_long
from yao_tasks.core.errors import JobElsewhere, JobNotFound
from yao_tasks.pools import tasks


@answers("POST")
def cancel(request: HttpRequest, task: str, job_id: int) -> HttpResponseBase:
    """End the job at once. Answers whether it was there to end, and its status now."""
    only_operators(request)
    refuse_too_long(request)
    no_forgery(request)
    if task not in tasks:
        raise missing()
    pool = tasks[task]
    try:
        cancelled = pool.cancel(job_id)
        status = pool.get(job_id).status
    except JobElsewhere as error:
        raise Refused(409, str(error)) from error
    except (JobNotFound, ImproperlyConfigured) as error:
        raise missing() from error
    return JsonResponse({"id": job_id, "cancelled": cancelled, "status": status})
