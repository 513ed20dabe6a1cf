"""A day of a busy site in a minute: 200,000 jobs of all kinds of ends, with resizes and pauses in between."""

import gc
import logging
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site, until
from yao_tasks import boot
from yao_tasks.core.errors import QueueFull
from yao_tasks.pools import Pool

JOBS = int(os.environ.get("YAO_TASKS_SOAK_JOBS", "200000"))
SEED = int(os.environ.get("YAO_TASKS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
MIB = 2**20


def resident() -> int:
    """Bytes of memory that this process holds just now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Day:
    """One pool and those who use it. Each job's argument says how it ends."""

    def __init__(self, site: Site) -> None:
        self.chance = random.Random(SEED)
        self.told: dict[str, int] = {"success": 0, "error": 0}
        self.counting = threading.Lock()
        events = {
            "success": lambda job_id, _: self.count("success"),
            "error": lambda job_id, _: self.count("error"),
        }
        self.pool: Pool = site.task(
            "day",
            self.work,
            event=events,
            worker_nums=8,
            size=5_000,
            attempts=1,
            attempt_after=1,
            timeout=0.2,
        )
        self.added = 0
        self.late = threading.Event()

    def count(self, event: str) -> None:
        with self.counting:
            self.told[event] += 1

    def work(self, job_id: int, ending: float, text: str) -> str:
        if ending < 0.02:
            raise ValueError(text)
        if ending < 0.0203:
            self.late.wait(0.3)  # past its deadline
        elif ending < 0.1:
            self.pool.progress(job_id, 1, 2, text)
        return text

    def add_one(self) -> None:
        options: dict[str, Any] = {}
        match self.chance.random():
            case x if x < 0.01:
                options = {"run_after": 0.01}
            case x if x < 0.02:
                options = {"priority": self.chance.randrange(-9, 10)}
            case x if x < 0.03:
                options = {"expires": 5.0}
        adder = self.pool.using(**options) if options else self.pool
        try:
            job_id = adder.add(self.chance.random(), "x" * self.chance.randrange(200))
        except QueueFull:
            time.sleep(0.002)
            return
        self.added += 1
        if self.chance.random() < 0.01:
            self.pool.cancel(job_id)
        if self.chance.random() < 0.0005:
            self.steer()

    def steer(self) -> None:
        match self.chance.randrange(4):
            case 0:
                self.pool.pause()
                time.sleep(0.005)
                self.pool.resume()
            case 1:
                self.pool.resize(self.chance.randrange(2, 12))
            case 2:
                for info in self.pool.search(status="FAILURE", limit=3):
                    self.retry(info.id)
            case _:
                self.pool.metrics()

    def retry(self, job_id: int) -> None:
        try:
            self.pool.retry(job_id)
        except (QueueFull, ValueError, LookupError):
            return
        self.added += 1

    def pass_by(self, jobs: int) -> None:
        """Add so many jobs, and wait until all have ended and been told."""
        goal = self.added + jobs
        while self.added < goal:
            self.add_one()
        until(lambda: not self.pool.jobs, "all to end", seconds=60)
        until(lambda: sum(self.told.values()) == self.added, "all ends to be told", seconds=60)


@pytest.mark.slow
def test_a_day_leaves_memory_threads_and_files_as_they_were(
    site: Site, caplog: pytest.LogCaptureFixture, record_property: Any
) -> None:
    print(f"seed: {SEED}; YAO_TASKS_SEED={SEED} repeats it")
    # The log's own memory is pytest's.
    with caplog.at_level(logging.CRITICAL, "yao_tasks"):
        day = Day(site)
        day.pass_by(JOBS // 10)
        after_a_tenth, files = resident(), len(os.listdir("/proc/self/fd"))

        day.pass_by(JOBS - JOBS // 10)

    day.pool.resize(8)
    grown = resident() - after_a_tenth
    numbers = day.pool.metrics()
    record_property("grown_mib", round(grown / MIB, 2))
    assert grown < 5 * MIB, f"{grown / MIB:.1f} MiB more"
    assert numbers["succeeded"] + sum(numbers["failed"].values()) == day.added
    assert min(numbers["failed"]["raised"], numbers["failed"]["timeout"], numbers["failed"]["cancelled"]) > 0
    assert len(os.listdir("/proc/self/fd")) == files
    engine = boot.engine("day")
    until(lambda: engine.life.threads <= 8 and not engine.life.stuck, "surplus threads to leave")  # type: ignore[attr-defined]
