"""Give a pool more workers, or fewer."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from yao_tasks.core.definitions import most_workers
from yao_tasks.dashboard.steering import SUCCESS, WARNING, back, operators_only, pool_that_can, record


@require_POST
@operators_only
def resize(request: HttpRequest, task: str, *, site: AdminSite) -> HttpResponse:
    """Have as many workers as the form's `worker_nums` says, in this process, until it ends."""
    pool = pool_that_can("resize", task)
    metrics = pool.metrics()
    before = metrics["worker_nums"]
    try:
        wanted = int(request.POST.get("worker_nums", ""))
        pool.resize(wanted)
    except ValueError:
        sentence = gettext("%(task)s was not resized: its pool has from 1 to %(most)s workers.")
        most = number_format(most_workers(metrics["worker_type"]), force_grouping=True)
        return back(request, site, (WARNING, sentence % {"task": pool.id, "most": most}))
    record(request, f"Resized {pool.id} from {before} to {wanted} workers.", pool)
    sentence = gettext("Resized %(task)s from %(before)d to %(wanted)d workers.")
    return back(request, site, (SUCCESS, sentence % {"task": pool.id, "before": before, "wanted": wanted}))
