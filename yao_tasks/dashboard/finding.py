"""The jobs that fit a filter, of all pools: a page of them, or all of them for an action."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from yao_tasks.core.errors import BadJobId, JobNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.dashboard.filters import Filter
from yao_tasks.dashboard.readings import Reading

PER_PAGE = 50
# Of several pools each is asked for all pages up to the one that is wanted: beyond these, choose a task.
MERGED_PAGES = 40
# So many jobs, of all pools, are drawn and read for a text in one request: some tens of milliseconds.
ROUND = 2_000
# And for an action on all that match.
MOST = 10_000

Found = tuple[Reading, JobInfo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of jobs. `number` is the one there is; `has_more`: another follows."""

    found: list[Found]
    number: int
    has_more: bool
    goes_back: bool = False
    """A text was looked for among the newest only, and there are older ones."""


def find_page(readings: Sequence[Reading], wanted: Filter, *, may_see_args: bool) -> Page:
    """The page that is asked for, or the nearest one."""
    readings = [one for one in readings if "search" in one.supports and wanted.task in ("", one.config.id)]
    if wanted.q or wanted.type:
        return _page_of_text(readings, wanted, may_see_args=may_see_args)
    if len(readings) == 1:
        return _page_of_one(readings[0], wanted)
    number = min(wanted.page, MERGED_PAGES)
    first = (number - 1) * PER_PAGE
    found = list(islice(_merged(readings, wanted, limit=first + PER_PAGE + 1), first, first + PER_PAGE + 1))
    return Page(
        found=found[:PER_PAGE], number=number, has_more=len(found) > PER_PAGE and number < MERGED_PAGES
    )


def find_all(readings: Sequence[Reading], wanted: Filter, *, may_see_args: bool) -> tuple[list[Found], bool]:
    """All that fit, `MOST` at most; whether there may be more."""
    readings = [one for one in readings if "search" in one.supports and wanted.task in ("", one.config.id)]
    fits = _matcher(wanted, may_see_args=may_see_args)
    id_wanted = _wanted_id(wanted.q)
    if id_wanted is not None:
        return list(_by_id(readings, id_wanted)), False
    candidates = list(islice(_merged(readings, wanted, limit=MOST + 1), MOST + 1))
    found = [(reading, info) for reading, info in candidates[:MOST] if fits(reading, info)]
    return found, len(candidates) > MOST


def _page_of_one(reading: Reading, wanted: Filter) -> Page:
    first = (wanted.page - 1) * PER_PAGE
    found = reading.pool.search(**wanted.search, offset=first, limit=PER_PAGE + 1)
    if not found and wanted.page > 1:
        # Fewer than there were: the first page is always there.
        return _page_of_one(reading, replace(wanted, page=1))
    return Page(
        found=[(reading, info) for info in found[:PER_PAGE]],
        number=wanted.page,
        has_more=len(found) > PER_PAGE,
    )


def _page_of_text(readings: Sequence[Reading], wanted: Filter, *, may_see_args: bool) -> Page:
    id_wanted = _wanted_id(wanted.q)
    if id_wanted is not None:
        return Page(found=list(_by_id(readings, id_wanted)), number=1, has_more=False)
    fits = _matcher(wanted, may_see_args=may_see_args)
    share = max(100, ROUND // max(1, len(readings)))
    looked_at = [
        [(one, info) for info in one.pool.search(**wanted.search, offset=wanted.back * share, limit=share)]
        for one in readings
    ]
    merged = heapq.merge(*looked_at, key=_key(wanted.order), reverse=wanted.order.startswith("-"))
    found = [(reading, info) for reading, info in merged if fits(reading, info)]
    pages = max(1, -(-len(found) // PER_PAGE))
    number = min(wanted.page, pages)
    return Page(
        found=found[(number - 1) * PER_PAGE : number * PER_PAGE],
        number=number,
        has_more=number < pages,
        goes_back=any(len(one) == share for one in looked_at),
    )


def _merged(readings: Iterable[Reading], wanted: Filter, *, limit: int) -> Iterator[Found]:
    each = [[(one, info) for info in one.pool.search(**wanted.search, limit=limit)] for one in readings]
    return heapq.merge(*each, key=_key(wanted.order), reverse=wanted.order.startswith("-"))


def _key(order: str) -> Callable[[Found], tuple[float, int]]:
    if order.endswith("added_at"):
        return lambda found: (found[1].added_at.timestamp(), found[1].id)
    # As the pools order them: what has not ended comes last, or first.
    return lambda found: (
        float("inf") if found[1].ended_at is None else found[1].ended_at.timestamp(),
        found[1].id,
    )


def _wanted_id(text: str) -> int | None:
    """The id that a text is, or asks for by `id:`; 0, which no job has, for what can be none."""
    by_name = text.startswith("id:")
    digits = text.removeprefix("id:").strip()
    if digits.isascii() and digits.isdigit() and len(digits) <= 16:
        # A short number is looked for in texts, too.
        return int(digits) if by_name or len(digits) >= 10 else None
    return 0 if by_name else None


def _by_id(readings: Iterable[Reading], job_id: int) -> Iterator[Found]:
    for reading in readings:
        try:
            info = reading.pool.get(job_id)
        except (JobNotFound, BadJobId):
            continue
        yield reading, info


def _matcher(wanted: Filter, *, may_see_args: bool) -> Callable[[Reading, JobInfo], bool]:
    """Whether a job has the text, in what the reader may see of it: else a search would tell of the rest."""
    text = wanted.q
    where, _, rest = text.partition(":")
    if where not in ("args", "error"):
        where, rest = "", text
    sought = rest.strip().casefold()

    def fits(reading: Reading, info: JobInfo) -> bool:
        hide = reading.redaction.hider(info)
        if where != "args":
            error = f"{info.error.type} {info.error.message}" if info.error is not None else ""
            told = error if where == "error" else f"{info.id} {info.message} {error}"
            if sought in hide(told).casefold():
                return True
        if where == "error" or not may_see_args:
            return False
        arguments = " ".join(f"{name}={value}" for name, value in reading.redaction.arguments(info))
        return sought in arguments.casefold()

    def fits_type(reading: Reading, info: JobInfo) -> bool:
        return info.error is not None and info.error.type == wanted.type and fits(reading, info)

    if wanted.type:
        return fits_type
    return fits if text else lambda reading, info: True
