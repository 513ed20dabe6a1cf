"""Measuring in turns: peer, ours, peer again. So a busy minute of the machine falls on both."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """What was measured, round by round, all in the same unit."""

    ours: Sequence[float]
    peer: Sequence[float]
    again: Sequence[float]
    """The peer once more."""

    @property
    def ratios(self) -> list[float]:
        """Ours as parts of the peer's, round by round."""
        return [
            2 * ours / (one + two) for ours, one, two in zip(self.ours, self.peer, self.again, strict=True)
        ]

    @property
    def noise(self) -> list[float]:
        """The peer as parts of itself, round by round."""
        return [two / one for one, two in zip(self.peer, self.again, strict=True)]


def in_turns(rounds: int, *, ours: Measure, peer: Measure) -> Rounds:
    """Measure both, in turns, after a round that warms them up and doesn't count."""
    measured = [[_once(one) for one in (peer, ours, peer)] for _ in range(rounds + 1)][1:]
    first, middle, last = zip(*measured, strict=True)
    return Rounds(ours=middle, peer=first, again=last)


def _once(measure: Measure) -> float:
    # Nobody pays for the other's garbage; the collector itself stays as Python has it.
    gc.collect()
    return measure()


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median, the upper quartile."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return ordered[quarter], median(ordered), ordered[-1 - quarter]
