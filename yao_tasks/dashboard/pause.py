"""Pause a pool, and resume it."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from yao_tasks.dashboard.durable import is_paused, sign
from yao_tasks.dashboard.steering import INFO, SUCCESS, back, operators_only, pool_that_can, record


@require_POST
@operators_only
def pause(request: HttpRequest, task: str, *, site: AdminSite) -> HttpResponse:
    """Start no more jobs of the task: in this process, of a durable one in all."""
    pool = pool_that_can("pause", task)
    if is_paused(pool):
        return back(request, site, (INFO, gettext("%(task)s was paused already.") % {"task": pool.id}))
    pool.pause()
    sign(pool, request.user.get_username())
    record(request, f"Paused {pool.id}.", pool)
    sentence = gettext("Paused %(task)s: what runs goes on, and new jobs wait until you resume it.")
    return back(request, site, (SUCCESS, sentence % {"task": pool.id}))


@require_POST
@operators_only
def resume(request: HttpRequest, task: str, *, site: AdminSite) -> HttpResponse:
    """Start jobs again."""
    pool = pool_that_can("pause", task)
    if not is_paused(pool):
        return back(request, site, (INFO, gettext("%(task)s was not paused.") % {"task": pool.id}))
    pool.resume()
    record(request, f"Resumed {pool.id}.", pool)
    return back(request, site, (SUCCESS, gettext("Resumed %(task)s.") % {"task": pool.id}))
