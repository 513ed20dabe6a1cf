"""Do one thing to many jobs: those that were chosen, or all that match a filter, after a page that counts them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from yao_tasks.core.errors import BadJobId, JobElsewhere, JobNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.dashboard.filters import read_filter
from yao_tasks.dashboard.finding import Found, find_all
from yao_tasks.dashboard.listing import usable
from yao_tasks.dashboard.names import VIEW_JOB_ARGS
from yao_tasks.dashboard.pacing import pace
from yao_tasks.dashboard.pages import FOLDER, NoPage, frame
from yao_tasks.dashboard.readings import Reading
from yao_tasks.dashboard.steering import (
    INFO,
    SUCCESS,
    WARNING,
    Answer,
    back,
    came_from,
    operators_only,
    record,
)
from yao_tasks.dashboard.verbs import VERBS, Verb
from yao_tasks.pools import Pool
from yao_tasks.refusals import REFUSALS, refusal

# So many ids are named in the admin's log.
NAMED = 50
# What a person may choose, in jobs a second; 0: all at once.
RATES = (0, 10, 1)


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    done: list[Found] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """How many were left out, by the reason in the reader's words."""


@require_POST
@operators_only
def bulk(request: HttpRequest, verb: str, *, site: AdminSite) -> HttpResponseBase:
    """Ask first; once it is confirmed, do it to those that still fit. Each job is looked at again then."""
    if verb not in VERBS:
        raise NoPage(gettext("That can't be done to jobs."))
    found, there_are_more = _found(request)
    if "confirmed" not in request.POST:
        return _confirm(request, site, VERBS[verb], found, there_are_more=there_are_more)
    rate = request.POST.get("rate", "")
    if rate in map(str, RATES[1:]) and VERBS[verb].can_be_paced:
        return _paced(request, site, VERBS[verb], found, int(rate))
    return back(request, site, carry_out(request, VERBS[verb], found))


def _found(request: HttpRequest) -> tuple[list[Found], bool]:
    readings = usable()
    if _everything(request):
        wanted = read_filter(QueryDict(_filter(request).removeprefix("?")))
        return find_all(readings, wanted, may_see_args=request.user.has_perm(VIEW_JOB_ARGS))
    by_task = {reading.config.id: reading for reading in readings}
    found = []
    for key in dict.fromkeys(request.POST.getlist("job")):
        task, _, job_id = key.rpartition("/")
        if task in by_task and job_id.isascii() and job_id.isdigit() and len(job_id) <= 16:
            found += _one(by_task[task], int(job_id))
    return found, False


def _everything(request: HttpRequest) -> bool:
    """Whether all that match are meant; a button of a group brings the filter of its own group along."""
    return "all" in request.POST or "group" in request.POST


def _filter(request: HttpRequest) -> str:
    return request.POST.get("group") or request.POST.get("filter", "")


def _one(reading: Reading, job_id: int) -> list[Found]:
    try:
        return [(reading, reading.pool.get(job_id))]
    except (JobNotFound, BadJobId):
        return []


def _confirm(
    request: HttpRequest, site: AdminSite, verb: Verb, found: Sequence[Found], *, there_are_more: bool
) -> HttpResponse:
    fitting = [one for one in found if _fits(verb, one)]
    context = {
        **frame(request, site),
        "title": str(verb.question),
        "verb": verb,
        "count": len(fitting),
        "others": len(found) - len(fitting),
        "by_task": sorted(Counter(info.task for _, info in fitting).items()),
        "there_are_more": there_are_more,
        "everything": _everything(request),
        "filter": _filter(request),
        "keys": [] if _everything(request) else [f"{info.task}/{info.id}" for _, info in fitting],
        "rates": RATES if verb.can_be_paced else (),
        "next": came_from(request, site),
    }
    return render(request, f"{FOLDER}/bulk.html", context)


def carry_out(request: HttpRequest, verb: Verb, found: Sequence[Found]) -> Answer:
    """Do it to each, note it in the admin's log, and say how many were done, how many not, and why."""
    outcome = Outcome()
    done_already = _at_once(verb, found)
    for reading, info in found:
        reason = None if (info.task, info.id) in done_already else _act(verb, reading, info)
        if reason is None:
            outcome.done.append((reading, info))
        else:
            outcome.skipped[reason] += 1
    _record(request, verb, outcome.done, verb.past)
    sentences = [verb.said(len(outcome.done)), *map(skipped, outcome.skipped, outcome.skipped.values())]
    level = SUCCESS if outcome.done and not outcome.skipped else WARNING if outcome.skipped else INFO
    return level, " ".join(sentences)


def _paced(
    request: HttpRequest, site: AdminSite, verb: Verb, found: Sequence[Found], rate: int
) -> HttpResponse:
    fitting = [one for one in found if _fits(verb, one)]
    pace([verb.bound(reading.pool, info) for reading, info in fitting], rate)
    _record(request, verb, fitting, f"{verb.past} at {rate} a second")
    sentence = gettext("%(count)d jobs, %(rate)d a second, from now on in the background of this process.")
    return back(request, site, (SUCCESS, sentence % {"count": len(fitting), "rate": rate}))


def _fits(verb: Verb, found: Found) -> bool:
    reading, info = found
    return verb.needs in reading.supports and verb.fits(info)


def skipped(reason: str, count: int) -> str:
    """So many were left out, and why."""
    text = ngettext("%(count)d skipped: %(reason)s", "%(count)d skipped: %(reason)s", count)
    return text % {"count": count, "reason": reason}


def _at_once(verb: Verb, found: Sequence[Found]) -> set[tuple[str, int]]:
    """Do it to all that fit, pool by pool, where that is quicker than one by one. Answers task and id of each."""
    if verb.act_on_all is None:
        return set()
    pools: dict[Pool, list[JobInfo]] = {}
    for reading, info in found:
        if _fits(verb, (reading, info)):
            pools.setdefault(reading.pool, []).append(info)
    return {(pool.id, job_id) for pool, infos in pools.items() for job_id in verb.act_on_all(pool, infos)}


def _act(verb: Verb, reading: Reading, info: JobInfo) -> str | None:
    """Do it to one job. Answers why that can't be, None where it is done."""
    try:
        if verb.needs not in reading.supports:
            return (
                gettext("it is not recorded.")
                if verb.needs == "remove"
                else gettext("its engine can't do that.")
            )
        if verb.needs == "remove" and not verb.fits(info):
            return gettext("it lives.")
        return None if verb.act(reading.pool, info) else _why_not(verb, reading, info)
    except JobElsewhere:
        return gettext("lives in another process.")
    except (JobNotFound, BadJobId):
        return gettext("no longer known here.")
    except REFUSALS as error:
        return refusal(error)
    except (TypeError, ValueError) as error:
        # Of a duplicate: its arguments are none that the task takes now.
        return gettext("no failure any more.") if verb.name == "retry" else str(error)


def _why_not(verb: Verb, reading: Reading, info: JobInfo) -> str:
    reading.pool.get(info.id)
    return gettext("had ended already.")


def _record(request: HttpRequest, verb: Verb, found: Sequence[Found], said: str) -> None:
    """One entry for each pool, with the ids."""
    by_task: dict[str, list[Found]] = {}
    for one in found:
        by_task.setdefault(one[1].task, []).append(one)
    for task, those in by_task.items():
        ids = ", ".join(str(info.id) for _, info in those[:NAMED])
        more = f" and {len(those) - NAMED} more" if len(those) > NAMED else ""
        record(request, f"{said} {len(those)} jobs of {task}: {ids}{more}.", those[0][0].pool)
