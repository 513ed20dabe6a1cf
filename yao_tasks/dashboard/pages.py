"""A page that stays fresh: the whole of it, and the part that the browser fetches again and again."""

import hashlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_safe

from yao_tasks.dashboard.names import OPERATE_JOBS, VIEW_JOB_ARGS, VIEW_JOBS
from yao_tasks.dashboard.process import where

View = Callable[..., HttpResponseBase]
Shown = Callable[..., dict[str, Any]]
"""Called with the request and what its address names: what the page's template is given. It may raise NoPage."""

FOLDER = "yao_tasks/dashboard"
DatabaseErrors = (DatabaseError, InterfaceError)


class NoPage(Exception):
    """There is nothing to show: the sentence says why. `code` is 404 or 400."""

    def __init__(self, sentence: str, *, status: int = 404) -> None:
        super().__init__(sentence)
        self.code = status


def page(name: str) -> Callable[[Shown], tuple[View, View]]:
    """Make of a function that says what a page shows its two views: the page `name`, and its changing regions."""

    def views(shown: Shown) -> tuple[View, View]:
        @require_safe
        @permission_required(VIEW_JOBS, raise_exception=True)
        @excused
        def whole(request: HttpRequest, *, site: AdminSite, **address: Any) -> HttpResponseBase:
            context = {**frame(request, site), **shown(request, **address)}
            return render(request, f"{FOLDER}/{name}.html", context)

        @require_safe
        @permission_required(VIEW_JOBS, raise_exception=True)
        def fragment(request: HttpRequest, *, site: AdminSite, **address: Any) -> HttpResponseBase:
            try:
                context = {**standing(request), **shown(request, **address)}
            except NoPage as error:
                return HttpResponse(str(error), status=error.code, content_type="text/plain; charset=utf-8")
            except DatabaseErrors as error:
                return HttpResponse(_no_answer(error), status=503, content_type="text/plain; charset=utf-8")
            etag = etag_of(context)
            response = get_conditional_response(request, etag=etag)
            if response is None:
                response = render(request, f"{FOLDER}/_{name}_regions.html", context)
            response["ETag"] = etag
            return response

        return whole, fragment

    return views


def excused(view: View) -> View:
    """The view; where it has nothing to show, a page that says why."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, site: AdminSite, **address: Any) -> HttpResponseBase:
        try:
            return view(request, *args, site=site, **address)
        except NoPage as error:
            sentence, code = str(error), error.code
        except DatabaseErrors as error:
            sentence, code = _no_answer(error), 503
        context = {**frame(request, site), "title": gettext("Not here"), "sentence": sentence}
        return render(request, f"{FOLDER}/nothing.html", context, status=code)

    return answer


def _no_answer(error: Exception) -> str:
    """What to say where recorded jobs can't be read: memory goes on, but the page would tell half of it."""
    sentence = gettext("Recorded jobs can't be read: the database says %(error)s")
    return sentence % {"error": f"{type(error).__name__}: {str(error)[:200]}"}


def etag_of(context: Mapping[str, Any]) -> str:
    """What a fragment shows, in short: known before it is drawn, which is most of its cost.

    Of plain values only; what is called by a template isn't part of a fragment.
    """
    values = sorted((name, repr(value)) for name, value in context.items() if not callable(value))
    where_and_how = (get_language(), get_current_timezone_name(), values)
    return quote_etag(hashlib.sha256(repr(where_and_how).encode(errors="backslashreplace")).hexdigest())


def frame(request: HttpRequest, site: AdminSite) -> dict[str, Any]:
    """What stands around each page: the admin's own, where it is refreshed from, and who may do what."""
    query = request.META.get("QUERY_STRING", "")
    return {
        **site.each_context(request),
        "fragment_url": f"{request.path}fragment/{'?' if query else ''}{query}",
        "where": where(),
        **standing(request),
    }


def standing(request: HttpRequest) -> Mapping[str, Any]:
    """Where the reader is, on the page as in its fragment, and what he may do beside looking."""
    query = request.META.get("QUERY_STRING", "")
    return {
        "here": request.path.removesuffix("fragment/") + (f"?{query}" if query else ""),
        "may_operate": request.user.has_perm(OPERATE_JOBS),
        "may_see_args": request.user.has_perm(VIEW_JOB_ARGS),
    }
