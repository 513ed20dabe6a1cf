"""Cancel a job."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.decorators import permission_required
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from yao_tasks.core.errors import JobElsewhere, JobNotFound, TaskNotFound
from yao_tasks.dashboard.names import OPERATE_JOBS, OVERVIEW, VIEW_JOBS
from yao_tasks.models import Dashboard
from yao_tasks.pools import Pool, tasks


@require_POST
@permission_required([VIEW_JOBS, OPERATE_JOBS], raise_exception=True)
def cancel(request: HttpRequest, task: str, job_id: int, *, site: AdminSite) -> HttpResponse:
    """Cancel the job, and go back to the overview with a sentence that says what came of it."""
    try:
        pool = tasks[task]
        done = pool.cancel(job_id)
        level, sentence = (messages.SUCCESS, _cancelled(pool, job_id)) if done else _why_not(pool, job_id)
    except (TaskNotFound, ImproperlyConfigured) as error:
        raise Http404(str(error)) from error
    if done:
        _record(request, pool, job_id)
    messages.add_message(request, level, sentence)
    query = urlencode({"page": request.POST.get("page", "1")})
    return HttpResponseRedirect(f"{reverse(f'admin:{OVERVIEW}', current_app=site.name)}?{query}")


def _cancelled(pool: Pool, job_id: int) -> str:
    return gettext("Cancelled job %(id)d of %(task)s.") % _names(pool, job_id)


def _why_not(pool: Pool, job_id: int) -> tuple[int, str]:
    try:
        pool.get(job_id)
    except JobElsewhere as error:
        # It names the process, and how to see all jobs.
        return messages.WARNING, str(error)
    except JobNotFound:
        sentence = gettext("There is no job %(id)d of %(task)s here. It may have ended and been forgotten.")
        return messages.WARNING, sentence % _names(pool, job_id)
    return messages.INFO, gettext("Job %(id)d of %(task)s had ended already.") % _names(pool, job_id)


def _names(pool: Pool, job_id: int) -> dict[str, Any]:
    return {"id": job_id, "task": pool.id}


def _record(request: HttpRequest, pool: Pool, job_id: int) -> None:
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(Dashboard),
        object_id=f"{pool.id}/{job_id}",
        object_repr=f"{pool.id} {job_id}"[:200],
        action_flag=CHANGE,
        # In English: who reads the log later may speak another language.
        change_message=f"Cancelled job {job_id} of {pool.id}.",
    )
