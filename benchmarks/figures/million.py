"""Whether `add` gets slower when very many jobs wait."""

from statistics import median
from time import thread_time

import django

from benchmarks import jobs
from benchmarks.children import measured_by
from benchmarks.figures import Scale
from benchmarks.report import Row, spread
from benchmarks.rounds import quartiles

WINDOWS = 10


def million(scale: Scale) -> Row:
    """A million jobs queued: windows of `add` at the end against windows at the start, in CPU time.

    These can't be taken in turns, so a busy minute of the machine would fall on one of the two alone.
    """
    count = scale.jobs(1_000_000)
    # A million adds and a gigabyte each: few of them.
    rounds = [measured_by(f"{__name__}.windows", count) for _ in range(min(scale.rounds, 3))]
    middles = [(median(start), median(end)) for start, end in rounds]
    micros = [quartiles([pair[which] for pair in middles])[1] * 1e6 for which in (0, 1)]
    return Row(
        what=f"`add` with {count:,} queued, against an empty queue (CPU time)",
        ours=f"{micros[1]:.2f} µs",
        peer=f"itself at the start {micros[0]:.2f} µs",
        ratio=f"**{spread([end / start for start, end in middles])} as long**",
        noise=spread([median(start[1::2]) / median(start[::2]) for start, _ in rounds]),
    )


def windows(count: str) -> tuple[list[float], list[float]]:
    """In a child: CPU seconds for an `add`, in ten windows at the start and ten at the end of so many."""
    django.setup()
    from yao_tasks import tasks

    add = tasks["behind_gate"].add
    window = int(count) // 100
    seconds = []
    with jobs.gate_closed():
        for _ in range(1_000):
            add()
        for _ in range(100):
            start = thread_time()
            for _ in range(window):
                add()
            seconds.append((thread_time() - start) / window)
    return seconds[:WINDOWS], seconds[-WINDOWS:]
