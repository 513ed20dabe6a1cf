"""The addresses of the dashboard's pages."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from yao_tasks.dashboard.cancel import cancel
from yao_tasks.dashboard.names import (
    CANCEL,
    FRAGMENT,
    OVERVIEW,
    PAUSE,
    PURGE,
    RESIZE,
    RESUME,
    RETRY,
)
from yao_tasks.dashboard.overview import fragment, overview
from yao_tasks.dashboard.pause import pause, resume
from yao_tasks.dashboard.purge import purge
from yao_tasks.dashboard.resize import resize
from yao_tasks.dashboard.retry import retry

View = Callable[..., HttpResponseBase]


def routes(page: Callable[[View], View]) -> list[URLPattern]:
    """A pattern for each page; `page` makes a view one of an admin site's."""
    return [
        path("", page(overview), name=OVERVIEW),
        path("fragment/", page(fragment), name=FRAGMENT),
        path("<str:task>/<int:job_id>/cancel/", page(cancel), name=CANCEL),
        path("<str:task>/<int:job_id>/retry/", page(retry), name=RETRY),
        path("<str:task>/pause/", page(pause), name=PAUSE),
        path("<str:task>/resume/", page(resume), name=RESUME),
        path("<str:task>/resize/", page(resize), name=RESIZE),
        path("<str:task>/purge/", page(purge), name=PURGE),
    ]
