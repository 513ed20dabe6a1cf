"""The last hour as bars, a bar a minute: geometry for an SVG, and the same numbers for a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from yao_tasks.dashboard.durations import measured

HEIGHT = 100
# A minute's place, and the bar in it.
STEP, WIDTH = 10, 8
KINDS = ("succeeded", "failed", "retried")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One colour of a bar."""

    kind: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteRow:
    """A minute's numbers."""

    minutes_ago: int
    succeeded: int
    failed: int
    retried: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The bars, and the minutes in which something happened, the latest first."""

    parts: list[Part]
    rows: list[MinuteRow]
    most: int
    """What the highest bar stands for."""
    totals: dict[str, int]

    @property
    def width(self) -> int:
        """Of the drawing; its height is `HEIGHT`."""
        return STEP * 60


def chart(minutes_of_pools: Iterable[Sequence[Mapping[str, int]]]) -> Chart:
    """The minutes of these pools, added up. Each as in `metrics()["minutes"]`."""
    pools = list(minutes_of_pools)
    minutes = [
        {kind: sum(one[kind] for one in column) for kind in KINDS} for column in zip(*pools, strict=True)
    ]
    most = max((sum(minute.values()) for minute in minutes), default=0)
    parts = [part for place, minute in enumerate(minutes) for part in _bar(place, minute, most)]
    rows = [
        MinuteRow(minutes_ago=len(minutes) - 1 - place, **minute)
        for place, minute in enumerate(minutes)
        if any(minute.values())
    ]
    totals = {kind: sum(minute[kind] for minute in minutes) for kind in KINDS}
    return Chart(parts=parts, rows=rows[::-1], most=most, totals=totals)


def _bar(place: int, minute: Mapping[str, int], most: int) -> Iterable[Part]:
    y = float(HEIGHT)
    for kind in KINDS:
        if not minute[kind]:
            continue
        # One in a thousand can still be seen.
        height = max(1.0, round(minute[kind] / most * HEIGHT, 1))
        y = round(max(0.0, y - height), 1)
        yield Part(kind=kind, x=place * STEP, y=y, height=height)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesRow:
    """How long jobs waited, or ran, in the last hour."""

    name: str
    average: str
    p50: str
    p95: str
    most: str


def times(metrics: Mapping[str, Mapping[str, float]]) -> list[TimesRow]:
    """Wait and run time of one pool; empty where nothing ended."""
    names = {"wait_time": gettext("Wait"), "run_time": gettext("Run")}
    return [
        TimesRow(
            name=name,
            average=measured(metrics[key]["avg"]),
            p50=measured(metrics[key]["p50"]),
            p95=measured(metrics[key]["p95"]),
            most=measured(metrics[key]["max"]),
        )
        for key, name in names.items()
        if metrics[key]["max"]
    ]
