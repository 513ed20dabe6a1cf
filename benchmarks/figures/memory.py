"""What a waiting job takes of the machine's memory."""

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django

from benchmarks import jobs
from benchmarks.children import measured_by
from benchmarks.figures import Scale
from benchmarks.report import Row, spread
from benchmarks.rounds import Rounds, in_turns, quartiles

WARM_UP = 1_000


def memory(scale: Scale) -> Row:
    """Resident bytes for each of many jobs that wait, with two small arguments each."""
    count = scale.jobs(100_000)
    rounds = in_turns(
        min(scale.rounds, 3),  # the same to a byte in each
        ours=lambda: measured_by(f"{__name__}.ours", count),
        peer=lambda: measured_by(f"{__name__}.threads", count),
    )
    return row(rounds, f"{count:,}")


def row(rounds: Rounds, count: str) -> Row:
    """The table's row, of bytes."""
    return Row(
        what=f"resident memory for a waiting job, {count} queued",
        ours=f"{quartiles(rounds.ours)[1]:.0f} B",
        peer=f"{quartiles(rounds.peer)[1]:.0f} B",
        ratio=f"**{spread(rounds.ratios)} as much**",
        noise=spread(rounds.noise),
    )


def ours(count: str) -> float:
    """In a child: bytes for each job in a pool of ours."""
    django.setup()
    from yao_tasks import tasks

    add = tasks["behind_gate"].add
    with jobs.gate_closed():
        for number in range(WARM_UP):
            add(number, "ada@example.org")
        before = resident()
        for number in range(int(count)):
            add(number, "ada@example.org")
        after = resident()
    return (after - before) / int(count)


def threads(count: str) -> float:
    """In a child: bytes for each job in a ThreadPoolExecutor."""
    django.setup()
    executor = ThreadPoolExecutor(10)
    with jobs.gate_closed():
        for number in range(WARM_UP):
            executor.submit(jobs.behind_gate, 0, number, "ada@example.org")
        before = resident()
        for number in range(int(count)):
            executor.submit(jobs.behind_gate, 0, number, "ada@example.org")
        after = resident()
    return (after - before) / int(count)


def resident() -> int:
    """Bytes of this process in the machine's memory."""
    gc.collect()
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
