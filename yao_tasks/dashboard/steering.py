"""What all views that steer have in common: who may, which pool, the way back with a sentence, the admin's log."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.decorators import permission_required
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext

from yao_tasks.core.errors import JobElsewhere, JobNotFound, TaskNotFound
from yao_tasks.dashboard.keeping import forget
from yao_tasks.dashboard.names import OPERATE_JOBS, OVERVIEW, VIEW_JOBS
from yao_tasks.dashboard.pages import NoPage, View, excused
from yao_tasks.models import Dashboard
from yao_tasks.pools import Pool, tasks

SUCCESS, INFO, WARNING = messages.SUCCESS, messages.INFO, messages.WARNING

Answer = tuple[int, str]
"""A level of `messages`, and a sentence in the reader's language."""


def operators_only(view: View) -> View:
    """Refuses all others with 403, before anything is looked up. Where there is nothing to steer a page says so."""
    allowed = permission_required([VIEW_JOBS, OPERATE_JOBS], raise_exception=True)
    return allowed(excused(view))


def pool_that_can(verb: str, task: str) -> Pool:
    """The task's pool. NoPage where there is none, it can't be used, or its engine doesn't do that."""
    try:
        pool = tasks[task]
        supported = verb in pool.supports
    except TaskNotFound as error:
        raise NoPage(gettext("There is no task %(task)s.") % {"task": task}) from error
    except ImproperlyConfigured as error:
        sentence = gettext("The task %(task)s can't be used: %(fault)s")
        raise NoPage(sentence % {"task": task, "fault": error}) from error
    if not supported:
        raise NoPage(gettext("The engine of %(task)s can't do that.") % {"task": task})
    return pool


def back(request: HttpRequest, site: AdminSite, answer: Answer) -> HttpResponse:
    """Go back to the page that the form came from, with a sentence that says what came of it."""
    messages.add_message(request, *answer)
    return HttpResponseRedirect(came_from(request, site))


def came_from(request: HttpRequest, site: AdminSite) -> str:
    """The page of the dashboard that the form, or the link, says it stands on; else the overview."""
    overview = reverse(f"admin:{OVERVIEW}", current_app=site.name)
    given = request.POST if request.method == "POST" else request.GET
    page = given.get("next", "")
    # Only what lies below the overview: nobody is led elsewhere.
    is_ours = page.startswith(overview) and ".." not in page
    if is_ours and url_has_allowed_host_and_scheme(page, None):
        return page
    return f"{overview}?{urlencode({'page': given.get('page', '1')})}"


def record(request: HttpRequest, sentence: str, pool: Pool, job_id: int | None = None) -> None:
    """Note in the admin's log what was done. In English: who reads it later may speak another language."""
    note(request, sentence, pool.id if job_id is None else f"{pool.id}/{job_id}")


def note(request: HttpRequest, sentence: str, what: str) -> None:
    """The same of `what`: a task, `task/id` of a job, or what has no page of its own there."""
    forget()
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(Dashboard),
        object_id=what,
        object_repr=what.replace("/", " ")[:200],
        action_flag=CHANGE,
        change_message=sentence,
    )


def missing(pool: Pool, job_id: int, error: JobNotFound) -> Answer:
    """What to say of a job that isn't here."""
    if isinstance(error, JobElsewhere):
        # It names the process, and how to see all jobs.
        return WARNING, str(error)
    sentence = gettext("There is no job %(id)d of %(task)s here. It may have ended and been forgotten.")
    return WARNING, sentence % {"id": job_id, "task": pool.id}
