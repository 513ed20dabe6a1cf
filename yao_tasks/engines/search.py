"""Which jobs of a pool fit a query: decided on the jobs themselves, so that only a page of them is drawn."""

import json
from collections.abc import Callable

from yao_tasks.core.jobs import DELAYED, PUBLIC, READY, RETRYING, Job
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.queries import Query

PHASES = {"ready": READY, "delayed": DELAYED, "retrying": RETRYING}
ORDERS = ("added_at", "ended_at", "-added_at", "-ended_at")


def search(life: Lifecycle, query: Query) -> list[Job]:
    """The page of jobs that fits, live and remembered ones."""
    # One that ended between the two looks is in both.
    jobs = {id(job): job for job in _candidates(life, query.status)}
    found = [job for job in jobs.values() if _fits(job, query)]
    field = query.order.removeprefix("-")
    found.sort(key=_moment(field), reverse=query.order.startswith("-"))
    return found[query.offset : query.offset + query.limit]


def _candidates(life: Lifecycle, status: str | None) -> list[Job]:
    """All jobs that may have that status: a few run while a long queue waits."""
    match status:
        case "WAITING":
            return list(life.jobs.values())
        case "RUNNING":
            return list(life.running.values())
        case "SUCCESS" | "FAILURE":
            return list(life.ended.values())
    return [*list(life.jobs.values()), *list(life.ended.values())]


def _fits(job: Job, query: Query) -> bool:
    if query.status is not None and PUBLIC[job.status] != query.status:
        return False
    if query.kind is not None and (job.error is None or job.error.kind != query.kind):
        return False
    if query.phase is not None and job.status != PHASES[query.phase]:
        return False
    if query.since is not None and job.added_at < query.since.timestamp():
        return False
    if query.until is not None and job.added_at >= query.until.timestamp():
        return False
    return query.text is None or _has(job, query.text.casefold())


def _has(job: Job, text: str) -> bool:
    if text in str(job.id) or text in job.progress[2].casefold():
        return True
    if job.error is not None and text in f"{job.error.type} {job.error.message}".casefold():
        return True
    try:
        arguments = json.dumps([job.args, job.kwargs], ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        return False
    return text in arguments.casefold()


def _moment(field: str) -> Callable[[Job], tuple[float, int]]:
    if field == "added_at":
        return lambda job: (job.added_at, job.id)
    # Those that have not ended come after all that have, in either order of time.
    return lambda job: (float("inf") if job.ended is None else job.added_at + job.ended - job.added, job.id)
