"""Where the admin's log leads to: the page of the job, or of the pool, that an entry is about."""

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import unquote
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from yao_tasks.dashboard.names import JOB, POOL, VIEW_JOBS


@require_safe
@permission_required(VIEW_JOBS, raise_exception=True)
def changed(request: HttpRequest, object_id: str, *, site: AdminSite) -> HttpResponse:
    """`mail/17` is job 17 of the task `mail`, `mail` its pool."""
    task, _, job_id = unquote(object_id).partition("/")
    if job_id.isascii() and job_id.isdigit():
        return HttpResponseRedirect(
            reverse(f"admin:{JOB}", args=[task, int(job_id[:20])], current_app=site.name)
        )
    return HttpResponseRedirect(reverse(f"admin:{POOL}", args=[task], current_app=site.name))
