"""Whether an idle process sleeps."""

from pathlib import Path
from threading import get_native_id
from time import sleep

import django

from benchmarks.children import measured_by
from benchmarks.figures import Scale
from benchmarks.figures.startup import write
from benchmarks.report import Row

POOLS = 20
# The clock looks at a pool until nothing has run for as long as the timeout.
TIMEOUT = 1


def idle(scale: Scale) -> Row:
    """How often the threads of started pools wake up while nothing is to be done."""
    seconds = 2 if scale.quick else 10
    folder = write(POOLS, timeout=TIMEOUT)
    wake_ups, threads = measured_by(f"{__name__}.count", seconds, BENCH_DIRS=str(folder))
    return Row(
        what=f"wake-ups in {seconds} s, {POOLS} pools that have run jobs",
        ours=f"{wake_ups}, of {threads} threads",
        peer="",
        ratio=f"**{wake_ups}**",
    )


def count(seconds: str) -> tuple[int, int]:
    """In a child: wake-ups in so many seconds of all threads but the one that measures; how many threads."""
    django.setup()
    from yao_tasks import tasks

    for pool in tasks.values():
        for job_id in [pool.add() for _ in range(20)]:
            pool.wait(job_id)
    sleep(2 * TIMEOUT + 1)
    before = _switches()
    sleep(float(seconds))
    after = _switches()
    return sum(after[thread] - before.get(thread, 0) for thread in after), len(after)


def _switches() -> dict[str, int]:
    """Voluntary context switches (a thread that has woken up goes to sleep again), by thread."""
    others = [task for task in Path("/proc/self/task").iterdir() if task.name != str(get_native_id())]
    return {task.name: _switches_of((task / "status").read_text(encoding="ascii")) for task in others}


def _switches_of(status: str) -> int:
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary_ctxt"))
