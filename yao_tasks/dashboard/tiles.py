"""The numbers at the top of the overview. Each counts what its list can show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from yao_tasks.dashboard.counts import Counts, of_memory
from yao_tasks.dashboard.filters import WORDS, Filter
from yao_tasks.dashboard.readings import Reading
from yao_tasks.dashboard.statuses import kind_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number. `query`: what the list is asked for, None where there is no list."""

    icon: str
    word: str
    count: int
    query: str | None = None
    has_more: bool = False
    """Recorded jobs, which can't be counted just now, come on top."""
    notes: tuple[str, ...] = ()


def tiles_of(readings: Sequence[Reading], known: Counts, *, is_alone: bool) -> list[Tile]:
    """All of them, of these pools together. `is_alone`: no other process of the site has jobs."""
    counts = _sum(known.of(one) for one in readings)
    gone = _sum(_gone(one.metrics) for one in readings if not one.is_recorded)
    # What a process knows of the hour is its own: beside the rows of all of them it would be another story in each.
    is_whole = is_alone or not any(one.is_recorded for one in readings)
    hour = _sum(minute for one in readings if is_whole for minute in one.metrics["minutes"])
    in_hour = {key: (*_in_hour(hour, key), *_rate(hour, key)) for key in ("succeeded", "failed")}
    refused = sum(one.metrics["refused"] for one in readings)
    return [
        *(
            Tile(
                icon=icon,
                word=word,
                count=counts.get(key, 0),
                query=wanted.query(),
                has_more=known.is_partial,
                notes=(*in_hour.get(key, ()), *_no_longer_kept(gone.get(key, 0))),
            )
            for key, icon, word, wanted in _kinds_of_tiles()
        ),
        Tile(icon="fault", word=gettext("Refused"), count=refused),
    ]


def _kinds_of_tiles() -> Iterator[tuple[str, str, str, Filter]]:
    """Key, icon, word, and what the list is asked for."""
    for key in ("running", "waiting", "retrying", "delayed", "succeeded"):
        yield key, key, str(WORDS[key]), Filter(status=key)
    yield "failed", "fault", str(WORDS["failed"]), Filter(status="failed")
    for kind, icon in (("timeout", "fault"), ("cancelled", "cancelled")):
        yield kind, icon, kind_word(kind), Filter(status="failed", kind=kind)


def _gone(metrics: Mapping[str, Any]) -> dict[str, int]:
    """How many have ended and are no longer kept. One that a person has tried again has ended twice."""
    now = of_memory(metrics)
    ever = {"succeeded": metrics["succeeded"], "failed": sum(metrics["failed"].values()), **metrics["failed"]}
    return {key: max(0, count - now[key]) for key, count in ever.items()}


def _sum(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for key, count in one.items():
            total[key] = total.get(key, 0) + count
    return total


def _in_hour(hour: Mapping[str, int], key: str) -> tuple[str, ...]:
    count = hour.get(key, 0)
    return (gettext("%(count)s in the last hour") % {"count": number_format(count)},) if count else ()


def _rate(hour: Mapping[str, int], key: str) -> tuple[str, ...]:
    failed, ended = hour.get("failed", 0), hour.get("failed", 0) + hour.get("succeeded", 0)
    if key != "failed" or not failed:
        return ()
    return (gettext("%(percent)s %% of all") % {"percent": number_format(100 * failed / ended, 1)},)


def _no_longer_kept(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    text = ngettext("%(count)s no longer kept", "%(count)s no longer kept", count)
    return (text % {"count": number_format(count)},)
