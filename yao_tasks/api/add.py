"""Add a job."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext

from yao_tasks.api.access import no_forgery, only_operators
from yao_tasks.api.answers import Refused, answers, later
from yao_tasks.api.bodies import arguments, refuse_too_long
from yao_tasks.api.rates import count_add
from yao_tasks.core.errors import BadJobId, DuplicateJob, PoolClosed, QueueFull
from yao_tasks.core.log import logger
from yao_tasks.pools import Pool, tasks
from yao_tasks.refusals import refusal

# What a queue that is full is given to become less so (s).
RETRY_AFTER = 5


@answers("POST")
def add(request: HttpRequest, task: str) -> HttpResponseBase:
    """Add a job with the body's arguments: 201, and where it can be looked at."""
    only_operators(request)
    refuse_too_long(request)
    no_forgery(request)
    args, kwargs = arguments(request)
    pool = _pool(task)
    count_add(str(request.user.pk))
    job_id = _added(pool, args, kwargs)
    address = reverse("yao_tasks:status", args=[task, job_id], current_app=_space(request))
    answer = JsonResponse({"id": job_id, "task": task, "url": address}, status=201)
    answer.headers["Location"] = address
    return answer


def _pool(task: str) -> Pool:
    if task not in tasks:
        raise Refused(404, gettext("There is no task of this name."))
    pool = tasks[task]
    try:
        _ = pool.supports
    except ImproperlyConfigured as error:
        raise Refused(404, gettext("The task can't be used: its definition is at fault.")) from error
    return pool


def _added(pool: Pool, args: list[Any], kwargs: dict[str, Any]) -> int:
    try:
        # Whatever transaction the site puts around its views: this view does nothing else in it. But a durable job
        # is a row of that transaction.
        return pool.using(on_commit=pool.config.durable).add(*args, **kwargs)
    except (QueueFull, PoolClosed) as error:
        raise later(refusal(error), RETRY_AFTER) from error
    except (DuplicateJob, BadJobId) as error:
        raise Refused(409, refusal(error)) from error
    except (TypeError, ValueError) as error:
        raise Refused(400, str(error)) from error
    except Exception as error:
        # An event.next that raises: the caller is told nothing of it, the log is.
        logger.exception("%s: no job was added over HTTP.", pool.id)
        raise Refused(500, gettext("The job could not be added; the log says why.")) from error


def _space(request: HttpRequest) -> str:
    match = request.resolver_match
    return match.namespace if match is not None else "yao_tasks"
