"""The numbers at the top of the overview. Each counts what its list can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from yao_tasks.dashboard.filters import WORDS, Filter
from yao_tasks.dashboard.listing import counts_of
from yao_tasks.dashboard.readings import Reading
from yao_tasks.dashboard.statuses import kind_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number. `query`: what the list is asked for, None where there is no list."""

    icon: str
    word: str
    count: int
    query: str | None = None
    notes: tuple[str, ...] = ()


def tiles_of(readings: Sequence[Reading]) -> list[Tile]:
    """All of them, of these pools together."""
    all_metrics = [reading.metrics for reading in readings]
    counts = _sum(counts_of(metrics) for metrics in all_metrics)
    kept = _sum(metrics["kept"] for metrics in all_metrics)
    failed = _sum(metrics["failed"] for metrics in all_metrics)
    hour = _sum(minute for metrics in all_metrics for minute in metrics["minutes"])
    icons = {"running": "running", "waiting": "waiting", "retrying": "retrying", "delayed": "delayed"}
    return [
        *(
            Tile(icon=icon, word=str(WORDS[key]), count=counts.get(key, 0), query=Filter(status=key).query())
            for key, icon in icons.items()
        ),
        _ended(
            "succeeded",
            counts,
            _notes(hour, "succeeded"),
            sum(metrics["succeeded"] for metrics in all_metrics),
        ),
        _ended("failed", counts, (*_notes(hour, "failed"), *_rate(hour)), sum(failed.values())),
        *(_kind(kind, kept, failed) for kind in ("timeout", "cancelled")),
        Tile(icon="fault", word=gettext("Refused"), count=sum(metrics["refused"] for metrics in all_metrics)),
    ]


def _sum(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for key, count in one.items():
            total[key] = total.get(key, 0) + count
    return total


def _ended(key: str, counts: Mapping[str, int], notes: Sequence[str], ever: int) -> Tile:
    return Tile(
        icon="fault" if key == "failed" else key,
        word=str(WORDS[key]),
        count=counts.get(key, 0),
        query=Filter(status=key).query(),
        notes=(*notes, *_gone(ever - counts.get(key, 0))),
    )


def _kind(kind: str, kept: Mapping[str, int], failed: Mapping[str, int]) -> Tile:
    return Tile(
        icon="cancelled" if kind == "cancelled" else "fault",
        word=kind_word(kind),
        count=kept.get(kind, 0),
        query=Filter(status="failed", kind=kind).query(),
        notes=_gone(failed.get(kind, 0) - kept.get(kind, 0)),
    )


def _notes(hour: Mapping[str, int], key: str) -> tuple[str, ...]:
    count = hour.get(key, 0)
    return (gettext("%(count)s in the last hour") % {"count": number_format(count)},) if count else ()


def _rate(hour: Mapping[str, int]) -> tuple[str, ...]:
    failed, ended = hour.get("failed", 0), hour.get("failed", 0) + hour.get("succeeded", 0)
    if not failed:
        return ()
    return (gettext("%(percent)s %% of all") % {"percent": number_format(100 * failed / ended, 1)},)


def _gone(count: int) -> tuple[str, ...]:
    # One that is tried again by a person is counted once more when it ends.
    if count <= 0:
        return ()
    text = ngettext("%(count)s no longer kept", "%(count)s no longer kept", count)
    return (text % {"count": number_format(count)},)
