"""Which jobs of a pool fit a query: decided on the jobs themselves, so that only a page of them is drawn."""

import json
from collections.abc import Callable
from operator import attrgetter

from yao_tasks.core.jobs import DELAYED, PUBLIC, READY, RETRYING, Job
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.queries import Query

PHASES = {"ready": READY, "delayed": DELAYED, "retrying": RETRYING}
ORDERS = ("added_at", "ended_at", "-added_at", "-ended_at")
# What is remembered of pages: so many of them, and none that goes beyond so many jobs.
PAGES, MOST_OF_A_PAGE = 8, 2_500


Version = tuple[object, ...]


class Pages:
    """The pages of one pool that were asked for last: while its jobs are the same ones, nobody sorts them again."""

    def __init__(self, life: Lifecycle) -> None:
        self._life = life
        self._known: dict[Query, tuple[Version, list[int]]] = {}

    def page(self, query: Query) -> list[Job]:
        """As `search`. Any thread may ask."""
        # What was reported lately, which a text may be in, makes no version.
        if query.text is not None or query.offset + query.limit > MOST_OF_A_PAGE:
            return search(self._life, query)
        now = _version(self._life)
        version, ids = self._known.get(query, (None, []))
        if version != now:
            found = search(self._life, query)
            if len(self._known) >= PAGES:
                self._known.clear()
            self._known[query] = now, [job.id for job in found]
            return found
        jobs, ended = self._life.jobs, self._life.ended
        # One that ends just now may be in neither for those who look here first: it is gone from this page.
        return [job for job_id in ids if (job := jobs.get(job_id) or ended.get(job_id)) is not None]


def _version(life: Lifecycle) -> Version:
    """Something else as soon as a job has come, gone, started, or become due."""
    # Whoever comes is the last: where number and last are the same, the others are, too.
    ends = (len(life.jobs), _last(life.jobs), len(life.ended), _last(life.ended))
    with life.lock:
        added = life.added
        started = life.started
        succeeded = life.succeeded
        retried = life.retried
        ready = life.ready_count
        postponed = life.postponed
    return (*ends, added, started, succeeded, retried, ready, postponed, *life.failed.values())


def _last(jobs: dict[int, Job]) -> object:
    try:
        return next(reversed(jobs), None)
    except RuntimeError:
        # Another thread has changed them between the two calls.
        return object()


def search(life: Lifecycle, query: Query) -> list[Job]:
    """The page of jobs that fits, live and remembered ones. With 100,000 live jobs it takes some tens of ms."""
    found = _candidates(life, query.status)
    if query.kind is not None:
        found = [job for job in found if job.error is not None and job.error.kind == query.kind]
    if query.phase is not None:
        found = [job for job in found if job.status == PHASES[query.phase]]
    if query.since is not None:
        since = query.since.timestamp()
        found = [job for job in found if job.added_at >= since]
    if query.until is not None:
        until = query.until.timestamp()
        found = [job for job in found if job.added_at < until]
    if query.text is not None:
        text = query.text.casefold()
        found = [job for job in found if _has(job, text)]
    return _ordered(found, query.order)[query.offset : query.offset + query.limit]


def moment(field: str) -> Callable[[Job], tuple[float, int]]:
    """Where a job stands in the order of `added_at` or `ended_at`: seconds since 1970, and its id."""
    if field == "added_at":
        return attrgetter("added_at", "id")
    # Those that have not ended come after all that have.
    return lambda job: (float("inf") if job.ended is None else job.added_at + job.ended - job.added, job.id)


def _ordered(jobs: list[Job], order: str) -> list[Job]:
    backward = order.startswith("-")
    if order.endswith("added_at"):
        # Key after key: they are nearly in order already, and a tuple for each would cost more than the sorting.
        jobs.sort(key=attrgetter("id"), reverse=backward)
        jobs.sort(key=attrgetter("added_at"), reverse=backward)
        return jobs
    # The long queue of those that have not ended needs no moments.
    live: list[Job] = []
    ended: list[Job] = []
    for job in jobs:
        (live if job.ended is None else ended).append(job)
    live.sort(key=attrgetter("id"), reverse=backward)
    ended.sort(key=moment("ended_at"), reverse=backward)
    return [*live, *ended] if backward else [*ended, *live]


def _candidates(life: Lifecycle, status: str | None) -> list[Job]:
    """All jobs that have that status: a few run while a long queue waits."""
    match status:
        case "WAITING":
            return _of_status(list(life.jobs.values()), status)
        case "RUNNING":
            return _of_status(list(life.running.values()), status)
        case "SUCCESS" | "FAILURE":
            return _of_status(list(life.ended.values()), status)
        case _:
            # One that ended between the two looks is in both.
            return list(dict.fromkeys([*list(life.jobs.values()), *list(life.ended.values())]))


def _of_status(jobs: list[Job], status: str) -> list[Job]:
    codes = {code for code, name in enumerate(PUBLIC) if name == status}
    return [job for job in jobs if job.status in codes]


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
