"""Cancel all that waits in a pool, after a page that says how much that is."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_http_methods

from yao_tasks.dashboard.pages import frame
from yao_tasks.dashboard.pools import waiting_now
from yao_tasks.dashboard.steering import INFO, SUCCESS, back, came_from, operators_only, pool_that_can, record
from yao_tasks.pools import Pool


@require_http_methods(["GET", "HEAD", "POST"])
@operators_only
def purge(request: HttpRequest, task: str, *, site: AdminSite) -> HttpResponse:
    """Asked for: say what would be cancelled. Posted: cancel it, with `delayed` also what is not due yet."""
    pool = pool_that_can("purge", task)
    if request.method != "POST":
        return _confirm(request, pool, site)
    delayed = "delayed" in request.POST
    count = pool.purge(delayed=delayed)
    if not count:
        return back(
            request, site, (INFO, gettext("Nothing waited in %(task)s any more.") % {"task": pool.id})
        )
    and_delayed = ", delayed ones too" if delayed else ""
    record(request, f"Purged {pool.id}: {count} jobs cancelled{and_delayed}.", pool)
    sentence = ngettext(
        "Purged %(task)s: %(count)d job cancelled.", "Purged %(task)s: %(count)d jobs cancelled.", count
    )
    return back(request, site, (SUCCESS, sentence % {"task": pool.id, "count": count}))


def _confirm(request: HttpRequest, pool: Pool, site: AdminSite) -> HttpResponse:
    metrics = pool.metrics()
    context = {
        **frame(request, site),
        "title": gettext("Purge %(name)s") % {"name": pool.config.name},
        "task": pool.id,
        "ready": waiting_now(metrics),
        "delayed": metrics["delayed"],
        "next": came_from(request, site),
    }
    return render(request, "yao_tasks/dashboard/purge.html", context)
