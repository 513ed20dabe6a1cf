"""The dashboard in the admin: no URL to configure, on whichever admin site `Dashboard` is registered."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
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
    VIEW_JOBS,
)
from yao_tasks.dashboard.overview import fragment, overview
from yao_tasks.dashboard.pause import pause, resume
from yao_tasks.dashboard.purge import purge
from yao_tasks.dashboard.resize import resize
from yao_tasks.dashboard.retry import retry
from yao_tasks.models import Dashboard

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Dashboard]
else:
    _ModelAdmin = admin.ModelAdmin

View = Callable[..., HttpResponseBase]


@admin.register(Dashboard)
class DashboardAdmin(_ModelAdmin):
    """The pages about jobs. For an admin site of one's own: `site.register(Dashboard, DashboardAdmin)`."""

    def get_urls(self) -> list[URLPattern]:
        """Each page, for the staff of this admin site only; each asks for its permission itself."""
        return [
            path("", self._page(overview), name=OVERVIEW),
            path("fragment/", self._page(fragment), name=FRAGMENT),
            path("<str:task>/<int:job_id>/cancel/", self._page(cancel), name=CANCEL),
            path("<str:task>/<int:job_id>/retry/", self._page(retry), name=RETRY),
            path("<str:task>/pause/", self._page(pause), name=PAUSE),
            path("<str:task>/resume/", self._page(resume), name=RESUME),
            path("<str:task>/resize/", self._page(resize), name=RESIZE),
            path("<str:task>/purge/", self._page(purge), name=PURGE),
        ]

    def _page(self, view: View) -> View:
        return self.admin_site.admin_view(partial(view, site=self.admin_site))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the dashboard stands in the admin's index."""
        return request.user.has_perm(VIEW_JOBS)

    def has_view_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Whether the user may look."""
        return request.user.has_perm(VIEW_JOBS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: there are no rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Never: there are no rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Never: there are no rows."""
        return False
