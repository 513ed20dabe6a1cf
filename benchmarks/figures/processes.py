"""Process workers: jobs that do nothing, how soon one starts, and what an idle process takes."""

import os
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from time import monotonic, perf_counter, sleep

import django

from benchmarks import jobs
from benchmarks.children import ROOT, measured_by
from benchmarks.figures import Scale
from benchmarks.figures.latency import PAUSE
from benchmarks.jobs import finish
from benchmarks.loads import adding, timed
from benchmarks.report import Row, faster, per_job, spread
from benchmarks.rounds import in_turns, quartiles

WORKERS = 4
# What a pipe carries back and forth: as much as a job's frame.
MESSAGE = b"x" * 100
ECHO = "import os\nwhile data := os.read(0, 65536): os.write(1, data)"
BARE = "import django, sys; django.setup(); import benchmarks.jobs; print(flush=True); sys.stdin.read()"


def apart(scale: Scale) -> Row:
    """Jobs that do nothing in processes; both sides call something in the parent when one has ended."""
    count = scale.jobs(5_000)
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as executor:

        def submitting(number: int) -> None:
            for one in range(number):
                executor.submit(jobs.idle, one).add_done_callback(_ended)

        rounds = in_turns(
            scale.rounds,
            ours=lambda: timed(adding("apart"), count),
            peer=lambda: timed(submitting, count),
        )
    what = f"{count:,} jobs that do nothing, {WORKERS} processes, end to end, against `ProcessPoolExecutor`"
    return faster(what, rounds, jobs=count)


def _ended(_: "Future[None]") -> None:
    finish()


def apart_latency(scale: Scale) -> Row:
    """From `add` to the handler's start in an idle process, against one round trip through two pipes."""
    from yao_tasks import tasks

    count, pool = scale.jobs(300), tasks["apart_started"]
    pool.wait(pool.add())

    def ours() -> float:
        waits = []
        for _ in range(count):
            began = monotonic()
            job_id = pool.add()
            sleep(PAUSE)
            waits.append(pool.wait(job_id).response - began)
        return median(waits)

    echo = subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert echo.stdin is not None
    assert echo.stdout is not None
    there, back = echo.stdin.fileno(), echo.stdout.fileno()

    def peer() -> float:
        waits = []
        for _ in range(count):
            began = perf_counter()
            os.write(there, MESSAGE)
            os.read(back, 65536)
            waits.append(perf_counter() - began)
            sleep(PAUSE)
        return median(waits)

    with echo:
        rounds = in_turns(scale.rounds, ours=ours, peer=peer)
        echo.stdin.close()
    return Row(
        what="idle process worker: from `add` to the handler's start, median, against a round trip through pipes",
        ours=per_job(rounds.ours, 1),
        peer=per_job(rounds.peer, 1),
        ratio=f"**{spread(rounds.ratios)} as long**",
        noise=spread(rounds.noise),
    )


def apart_memory(scale: Scale) -> Row:
    """The resident memory of an idle process of a worker, against one that has only called `django.setup()`."""
    rounds = in_turns(
        min(scale.rounds, 3),
        ours=lambda: measured_by(f"{__name__}.warm"),
        peer=lambda: measured_by(f"{__name__}.bare"),
    )
    ours, peer = quartiles(rounds.ours)[1] / 2**20, quartiles([*rounds.peer, *rounds.again])[1] / 2**20
    return Row(
        what="resident memory of an idle process worker's process, against a bare `django.setup()`",
        ours=f"{ours:.1f} MiB",
        peer=f"{peer:.1f} MiB",
        ratio=f"**{ours - peer:+.2f} MiB**, {spread(rounds.ratios)} as much",
        noise=spread(rounds.noise),
    )


def warm() -> float:
    """In a child: bytes of the process of a worker that has run a job."""
    django.setup()
    from yao_tasks import tasks

    pool = tasks["apart_pid"]
    return resident_of(pool.wait(pool.add()).response)


def bare() -> float:
    """In a child: bytes of a process with Django and the module of the handler."""
    with subprocess.Popen(
        [sys.executable, "-c", BARE], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        size = resident_of(process.pid)
        process.stdin.close()
    return size


def resident_of(pid: int) -> float:
    """Bytes of a process in the machine's memory."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return float(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
