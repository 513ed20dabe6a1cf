"""Who may read a job, and how much of it; who may write."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.translation import gettext

from yao_tasks import links
from yao_tasks.api.answers import Refused
from yao_tasks.permissions import OPERATE_JOBS, VIEW_JOB_ARGS, VIEW_JOBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads a job, and what he may see of it."""

    name: str
    """Whose streams are counted together."""
    is_staff: bool = False
    """By permission: he sees the whole of JobInfo, but for what the next two say. Else he has a link to this job."""
    sees_traceback: bool = False
    sees_data: bool = False
    """Arguments and result."""


def reader_of(request: HttpRequest, task: str, job_id: int) -> Reader | None:
    """Who asks for this job; None: nobody who may see it. With a good link no session is looked at."""
    signatures = request.GET.getlist(links.PARAMETER)
    if len(signatures) == 1 and links.opens(signatures[0], task, job_id):
        return Reader(name=f"{task}/{job_id}")
    if not has(request, VIEW_JOBS):
        return None
    return Reader(
        name=f"user {request.user.pk}",
        is_staff=True,
        sees_traceback=has(request, OPERATE_JOBS),
        sees_data=has(request, VIEW_JOB_ARGS),
    )


def has(request: HttpRequest, permission: str) -> bool:
    """Whether the request's user has it; nobody has where the site knows no users."""
    user = getattr(request, "user", None)
    return user is not None and user.has_perm(permission)


def only_operators(request: HttpRequest) -> None:
    """Refuse a write by anybody else with 403, and one that another site's page has sent. Looks nothing up."""
    if not has(request, OPERATE_JOBS):
        raise Refused(403, gettext("You may not add or cancel jobs."))


def no_forgery(request: HttpRequest) -> None:
    """Refuse a write that another site's page may have sent, with 403. Whatever middleware the site has."""
    check = _Check(_no_view)
    check.process_request(request)
    if check.process_view(request, _no_view, (), {}) is not None:
        raise Refused(403, gettext("The CSRF token is missing or wrong."))


class _Check(CsrfViewMiddleware):
    """Django's own check, without its page."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(status=403)


def _no_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
