"""What comes out: Markdown."""

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from benchmarks.rounds import Rounds, quartiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: texts, ready to print."""

    what: str
    ours: str
    peer: str
    ratio: str
    noise: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands in its columns."""
        return self.what, self.ours, self.peer, self.ratio, self.noise


HEADINGS = ("what", "yao_tasks", "peer", "ratio (half of the rounds)", "noise: the peer against itself")


def faster(what: str, rounds: Rounds, *, jobs: int, peer: str = "") -> Row:
    """A row on times for so many jobs: how many times as fast ours is."""
    return Row(
        what=what,
        ours=per_job(rounds.ours, jobs),
        peer=f"{peer} {per_job([*rounds.peer, *rounds.again], jobs)}".strip(),
        ratio=f"**{spread([1 / ratio for ratio in rounds.ratios])} as fast**",
        noise=spread(rounds.noise),
    )


def per_job(seconds: Sequence[float], jobs: int) -> str:
    """The median time for a job."""
    micros = quartiles(seconds)[1] / jobs * 1e6
    return f"{micros:.2f} µs" if micros < 10 else f"{micros:,.0f} µs"


def spread(ratios: Sequence[float]) -> str:
    """The median, and between which figures half of the rounds lie."""
    low, middle, high = (_short(ratio) for ratio in quartiles(ratios))
    return f"{middle}x ({low}-{high})"


def _short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def surroundings(rounds: int) -> str:
    """On what the figures were measured."""
    load = os.getloadavg()[0]
    return (
        f"Python {platform.python_version()} ({platform.python_implementation()}), Django {version('django')}, "
        f"yao-tasks {_own_version()}, {platform.system()} {platform.release()} {platform.machine()}, "
        f"{os.cpu_count()} cores, load {load:.1f} at the start, switch interval {sys.getswitchinterval() * 1000:g} ms, "
        f"{rounds} rounds in turns after one to warm up."
    )


def _own_version() -> str:
    import yao_tasks

    return getattr(yao_tasks, "__version__", "from the source")
