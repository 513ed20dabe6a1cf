"""Pause all pools, and resume them: when what they all call is down."""

from collections.abc import Callable
from functools import partial

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from yao_tasks.dashboard.durable import sign
from yao_tasks.dashboard.listing import usable
from yao_tasks.dashboard.readings import Reading
from yao_tasks.dashboard.steering import INFO, SUCCESS, back, operators_only, record


@require_POST
@operators_only
def pause_all(request: HttpRequest, *, site: AdminSite) -> HttpResponse:
    """Start no more jobs: in this process, durable ones in all."""
    count = _each(request, lambda one: not one.metrics["paused"], partial(_pause, request), "Paused")
    text = ngettext("Paused %(count)d pool.", "Paused %(count)d pools.", count)
    return back(request, site, (SUCCESS if count else INFO, text % {"count": count}))


@require_POST
@operators_only
def resume_all(request: HttpRequest, *, site: AdminSite) -> HttpResponse:
    """Start jobs again."""
    count = _each(request, lambda one: one.metrics["paused"], lambda one: one.pool.resume(), "Resumed")
    text = ngettext("Resumed %(count)d pool.", "Resumed %(count)d pools.", count)
    return back(request, site, (SUCCESS if count else INFO, text % {"count": count}))


def _pause(request: HttpRequest, one: Reading) -> None:
    one.pool.pause()
    sign(one.pool, request.user.get_username())


def _each(
    request: HttpRequest, fits: Callable[[Reading], bool], act: Callable[[Reading], None], past: str
) -> int:
    fitting = [one for one in usable() if "pause" in one.supports and fits(one)]
    for one in fitting:
        act(one)
        record(request, f"{past} {one.pool.id}.", one.pool)
    return len(fitting)
