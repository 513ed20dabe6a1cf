"""The dashboard in the admin: no URL to configure, on whichever admin site `Dashboard` is registered."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern

from yao_tasks.dashboard.history_admin import HistoryAdmin
from yao_tasks.dashboard.names import VIEW_JOBS
from yao_tasks.models import Dashboard, JobRecord

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Dashboard]
else:
    _ModelAdmin = admin.ModelAdmin

View = Callable[..., HttpResponseBase]

__all__ = ["DashboardAdmin", "HistoryAdmin"]


@admin.register(Dashboard)
class DashboardAdmin(_ModelAdmin):
    """The pages about jobs. For an admin site of one's own: `site.register(Dashboard, DashboardAdmin)`."""

    def get_urls(self) -> list[URLPattern]:
        """Each page, for the staff of this admin site only; each asks for its permission itself."""
        # Only now: the pages bring in the pools, which a process without pages has no need of.
        from yao_tasks.dashboard.routes import routes

        return routes(self._page)

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


admin.site.register(JobRecord, HistoryAdmin)
