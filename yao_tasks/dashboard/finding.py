"""The jobs that fit a filter, of all pools: a page of them, or all of them for an action."""

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import Any

from yao_tasks.core.errors import BadJobId, JobNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.dashboard.filters import Filter
from yao_tasks.dashboard.readings import Reading
from yao_tasks.redaction import Redaction

PER_PAGE = 50
# Of several pools each is asked for all pages up to the one that is wanted, and so is the database: beyond these, a
# task is chosen, or earlier days.
MERGED_PAGES = 40
# A text is looked for in so many jobs of each pool at once, until so many were read in all or the time is over (s).
SLICE = 300
ROUND = 900
PATIENCE = 0.04
# Each slice is found from the newest job on: after so many, from a moment on.
FURTHEST = 60
# An action on all that match is one on so many.
MOST = 10_000

Found = tuple[Reading, JobInfo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of jobs. `number` is the one there is; `has_more`: another follows."""

    found: list[Found]
    number: int
    has_more: bool
    is_last_of_merge: bool = False
    """More jobs follow, and no page shows them."""
    further: dict[str, Any] = field(default_factory=dict)
    """What changes in the filter to look where nobody has looked; empty where all was looked at."""


def find_page(readings: Sequence[Reading], wanted: Filter, *, may_see_args: bool) -> Page:
    """The page that is asked for, or the nearest one."""
    readings = [one for one in readings if "search" in one.supports and wanted.task in ("", one.config.id)]
    if wanted.q or wanted.type:
        return _page_of_text(readings, wanted, may_see_args=may_see_args)
    if len(readings) == 1 and not readings[0].is_recorded:
        return _page_of_one(readings[0], wanted)
    number = min(wanted.page, MERGED_PAGES)
    first = (number - 1) * PER_PAGE
    if len(readings) == 1:
        found = _searched(readings[0], wanted, offset=first, limit=PER_PAGE + 1)
    else:
        merged = _merged(readings, wanted, limit=first + PER_PAGE + 1)
        found = list(islice(merged, first, first + PER_PAGE + 1))
    is_last = number == MERGED_PAGES and len(found) > PER_PAGE
    return Page(
        found=found[:PER_PAGE],
        number=number,
        has_more=len(found) > PER_PAGE and not is_last,
        is_last_of_merge=is_last,
        further=_from_there_on(wanted, found[PER_PAGE - 1][1]) if is_last else {},
    )


def find_all(readings: Sequence[Reading], wanted: Filter, *, may_see_args: bool) -> tuple[list[Found], bool]:
    """All that fit, `MOST` at most; whether there may be more."""
    readings = [one for one in readings if "search" in one.supports and wanted.task in ("", one.config.id)]
    fits = matcher(wanted, may_see_args=may_see_args)
    id_wanted = _wanted_id(wanted.q)
    if id_wanted is not None:
        return list(_by_id(readings, id_wanted)), False
    candidates = list(islice(_merged(readings, wanted, limit=MOST + 1), MOST + 1))
    found = [(reading, info) for reading, info in candidates[:MOST] if fits(reading.redaction, info)]
    return found, len(candidates) > MOST


def _page_of_one(reading: Reading, wanted: Filter) -> Page:
    first = (wanted.page - 1) * PER_PAGE
    found = _searched(reading, wanted, offset=first, limit=PER_PAGE + 1)
    if not found and wanted.page > 1:
        # Fewer than there were: the first page is always there.
        return _page_of_one(reading, replace(wanted, page=1))
    return Page(
        found=found[:PER_PAGE],
        number=wanted.page,
        has_more=len(found) > PER_PAGE,
    )


def _page_of_text(readings: Sequence[Reading], wanted: Filter, *, may_see_args: bool) -> Page:
    id_wanted = _wanted_id(wanted.q)
    if id_wanted is not None:
        return Page(found=list(_by_id(readings, id_wanted)), number=1, has_more=False)
    fits = matcher(wanted, may_see_args=may_see_args)
    found: list[Found] = []
    last: JobInfo | None = None
    until, back, looked_at = time.monotonic() + PATIENCE, wanted.back, 0
    while True:
        slices = [_searched(one, wanted, offset=back * SLICE, limit=SLICE) for one in readings]
        back += 1
        looked_at += sum(map(len, slices))
        merged = heapq.merge(*slices, key=_key(wanted.order), reverse=wanted.order.startswith("-"))
        for reading, info in merged:
            last = info
            if fits(reading.redaction, info):
                found.append((reading, info))
        is_more = any(len(one) == SLICE for one in slices)
        if not is_more or looked_at >= ROUND or time.monotonic() > until:
            break
    found.sort(key=_key(wanted.order), reverse=wanted.order.startswith("-"))
    further = {"back": back} if back < FURTHEST or last is None else _from_there_on(wanted, last)
    pages = max(1, -(-len(found) // PER_PAGE))
    number = min(wanted.page, pages)
    return Page(
        found=found[(number - 1) * PER_PAGE : number * PER_PAGE],
        number=number,
        has_more=number < pages,
        further=further if is_more else {},
    )


def _from_there_on(wanted: Filter, last: JobInfo) -> dict[str, Any]:
    """The filter for the jobs from that one on: by the moment at which they were added, its own included."""
    if wanted.order == "added_at":
        return {"since": last.added_at.isoformat(), "back": 0}
    if wanted.order == "-added_at":
        return {"until": (last.added_at + timedelta(microseconds=1)).isoformat(), "back": 0}
    return {}


def _searched(reading: Reading, wanted: Filter, *, offset: int, limit: int) -> list[Found]:
    found = reading.pool.search(**wanted.search, offset=offset, limit=limit)
    return [(reading, info) for info in found]


def _merged(readings: Iterable[Reading], wanted: Filter, *, limit: int) -> Iterator[Found]:
    each = [_searched(one, wanted, offset=0, limit=limit) for one in readings]
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


def matcher(wanted: Filter, *, may_see_args: bool) -> Callable[[Redaction, JobInfo], bool]:
    """Whether a job has the text, in what the reader may see of it: else a search would tell of the rest."""
    text = wanted.q
    where, _, rest = text.partition(":")
    if where not in ("args", "error"):
        where, rest = "", text
    sought = rest.strip().casefold()

    def fits(redaction: Redaction, info: JobInfo) -> bool:
        hide = redaction.hider(info)
        if where != "args":
            error = f"{info.error.type} {info.error.message}" if info.error is not None else ""
            told = error if where == "error" else f"{info.id} {info.message} {error}"
            if sought in hide(told).casefold():
                return True
        if where == "error" or not may_see_args:
            return False
        arguments = " ".join(f"{name}={value}" for name, value in redaction.arguments(info))
        return sought in arguments.casefold()

    def fits_type(redaction: Redaction, info: JobInfo) -> bool:
        return info.error is not None and info.error.type == wanted.type and fits(redaction, info)

    if wanted.type:
        return fits_type
    return fits if text else lambda redaction, info: True
