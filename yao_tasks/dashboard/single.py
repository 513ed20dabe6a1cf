"""Do one thing to one job: cancel it, have it run again, add another like it."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from yao_tasks.core.errors import JobNotFound
from yao_tasks.dashboard.steering import (
    INFO,
    SUCCESS,
    WARNING,
    back,
    missing,
    operators_only,
    pool_that_can,
    record,
)
from yao_tasks.dashboard.verbs import add_like
from yao_tasks.pools import Pool
from yao_tasks.refusals import REFUSALS, refusal


class TooLate(Exception):
    """The job isn't any more what it has to be for this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What can be done to one job. Sentences are given `id`, `task` and, of a new job, `new`."""

    needs: str
    """What the engine has to be able to do."""
    act: Callable[[Pool, int], int]
    """Do it; answers which job it is about then. Raises what the pool raises, and TooLate."""
    done: Promise
    too_late: str | Promise = ""
    refused: str | Promise = ""
    log: str
    """For the admin's log, which is kept in English."""


def _cancel(pool: Pool, job_id: int) -> int:
    if not pool.cancel(job_id):
        pool.get(job_id)
        raise TooLate
    return job_id


def _retry(pool: Pool, job_id: int) -> int:
    try:
        pool.retry(job_id)
    except REFUSALS:
        raise
    except ValueError as error:
        raise TooLate from error
    return job_id


def _duplicate(pool: Pool, job_id: int) -> int:
    return add_like(pool, pool.get(job_id))


CANCEL = Deed(
    needs="cancel",
    act=_cancel,
    done=_("Cancelled job %(id)d of %(task)s."),
    too_late=_("Job %(id)d of %(task)s had ended already."),
    log="Cancelled job {id} of {task}.",
)
RETRY = Deed(
    needs="retry",
    act=_retry,
    done=_("Retried job %(id)d of %(task)s."),
    refused=_("Job %(id)d of %(task)s was not retried."),
    too_late=_("Job %(id)d of %(task)s is no failure any more: only those can be retried."),
    log="Retried job {id} of {task}.",
)
DUPLICATE = Deed(
    needs="add",
    act=_duplicate,
    done=_("Duplicated job %(id)d of %(task)s: it is job %(new)d."),
    refused=_("Job %(id)d of %(task)s was not duplicated."),
    log="Duplicated job {id} of {task}: job {new}.",
)


@require_POST
@operators_only
def single(request: HttpRequest, task: str, job_id: int, *, deed: Deed, site: AdminSite) -> HttpResponse:
    """Do it, and go back with a sentence that says what came of it."""
    pool = pool_that_can(deed.needs, task)
    names = {"id": job_id, "task": pool.id}
    try:
        new = deed.act(pool, job_id)
    except JobNotFound as error:
        # Or it lives in another process, which alone can steer it.
        return back(request, site, missing(pool, job_id, error))
    except TooLate:
        return back(request, site, (INFO, str(deed.too_late) % names))
    except REFUSALS as error:
        return back(request, site, (WARNING, f"{str(deed.refused) % names} {refusal(error)}"))
    except (TypeError, ValueError) as error:
        # Its arguments are none that the task takes now.
        return back(request, site, (WARNING, gettext("That can't be done: %(error)s") % {"error": error}))
    record(request, deed.log.format(**names, new=new), pool, new)
    return back(request, site, (SUCCESS, str(deed.done) % {**names, "new": new}))
