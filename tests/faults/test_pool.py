"""Load and failing code in one process: the rows of the pool with thread workers."""

import logging
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks.errors import QueueFull
from yao_tasks.pools import Pool


def in_threads(count: int, call: Any) -> None:
    """Call in so many threads at once, and wait for them all."""
    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def resident() -> int:
    """The process's memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.slow
def test_each_of_many_jobs_runs_once_and_leaves_no_memory_behind(site: Site) -> None:
    """L1."""
    jobs = 50_000
    ran: list[int] = []
    pool = site.task("job", ran.append, worker_nums=4, size=jobs)
    ids: list[int] = []
    pool.wait(pool.add(), SECONDS)
    before = resident()

    in_threads(8, lambda: ids.extend([pool.add() for _ in range(jobs // 8)]))

    until(lambda: not pool.jobs, "the jobs to end")
    pool.close()
    assert sorted(ran[1:]) == sorted(ids)
    metrics = pool.metrics()
    assert (metrics["added"], metrics["started"], metrics["succeeded"]) == (jobs + 1,) * 3
    assert metrics["failed"] == {"raised": 0, "timeout": 0, "cancelled": 0, "lost": 0}
    assert (metrics["waiting"], metrics["running"], metrics["refused"]) == (0, 0, 0)
    assert resident() - before < 20 * 2**20


def test_the_queues_boundary_refuses_at_once_and_blocks_nobody(site: Site) -> None:
    """L2."""
    other = site.task("other", lambda job_id: None)
    gate = site.gate()
    pool = site.task("job", gate, worker_nums=2, size=100)
    pool.add(), pool.add()
    gate.entered(2)
    for _ in range(100):
        pool.add()
    times: dict[str, list[float]] = {"add": [], "metrics": [], "get": []}

    for _ in range(20):
        times["add"].append(timed(lambda: refused(pool)))
        times["metrics"].append(timed(pool.metrics))
        times["get"].append(timed(lambda: pool.get(next(iter(pool.jobs)))))
        assert other.wait(other.add(), SECONDS).status == "SUCCESS"

    # The best of twenty: a machine that is busy elsewhere slows some of them.
    assert min(times["add"]) < 0.01
    assert min(times["metrics"]) < 0.05
    assert min(times["get"]) < 0.01
    assert pool.metrics()["waiting"] == 100


def refused(pool: Pool) -> None:
    with pytest.raises(QueueFull):
        pool.add()


def timed(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@pytest.mark.slow
def test_cancels_at_any_moment_end_each_job_exactly_once(
    site: Site, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """F24."""
    jobs = 10_000
    caplog.set_level(logging.CRITICAL, "yao_tasks")
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION_MAX": 2 * jobs}
    ran: list[int] = []
    ended: list[tuple[int, str]] = []
    ids: list[int] = []
    cancelled: list[int] = []
    seed = random.randrange(2**32)
    print("seed", seed)
    pool = site.task(
        "job",
        ran.append,
        worker_nums=4,
        size=jobs,
        event={
            "success": lambda job_id, result: ended.append((job_id, "success")),
            "error": lambda job_id, error: ended.append((job_id, type(error).__name__)),
        },
    )

    def add() -> None:
        for _ in range(jobs // 2):
            ids.append(pool.add())

    def cancel(chance: random.Random) -> None:
        # Waiting ones, running ones, those that have ended, some twice, and some that never were.
        while len(ids) < jobs or pool.jobs:
            latest = ids[-20:] or [1]
            job_id = chance.choice([*latest, 12])
            if pool.cancel(job_id):
                cancelled.append(job_id)
                pool.resume()

    cancellers = [
        threading.Thread(target=cancel, args=(random.Random(seed + number),)) for number in range(2)
    ]
    # Until the first is cancelled: quick workers may leave none that waits.
    pool.pause()
    for canceller in cancellers:
        canceller.start()
    in_threads(2, add)
    for canceller in cancellers:
        canceller.join(60)
    pool.close()

    ends = dict(ended)
    assert len(ended) == len(ends) == jobs
    assert Counter(ends.values())["JobCancelled"] == len(cancelled) > 0
    assert len(set(cancelled)) == len(cancelled)
    for job_id in ids:
        info = pool.get(job_id)
        kind = info.error.kind if info.error else None
        assert (info.status, kind, ends[job_id]) == (
            ("FAILURE", "cancelled", "JobCancelled")
            if job_id in set(cancelled)
            else ("SUCCESS", None, "success")
        )
    assert all(pool.get(job_id).attempt == 1 for job_id in ran)
    assert max(Counter(ran).values()) == 1


class TwoArguments(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class WithALock(Exception):
    def __init__(self) -> None:
        super().__init__("it holds a lock")
        self.lock = threading.Lock()


def recurse(depth: int) -> None:
    recurse(depth + 1)


RAISED = {
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "MemoryError": lambda: MemoryError("no more"),
    "TwoArguments": lambda: TwoArguments(1, 2),
    "WithALock": WithALock,
}


@pytest.mark.parametrize("name", [*RAISED, "RecursionError"])
def test_a_hundred_jobs_succeed_after_one_that_raises_the_worst(site: Site, name: str) -> None:
    """F25."""

    def handler(job_id: int, *, fails: bool = False) -> None:
        if fails and name == "RecursionError":
            recurse(0)
        if fails:
            raise RAISED[name]()

    pool = site.task("job", handler, worker_nums=1)

    info = pool.wait(pool.add(fails=True), SECONDS)
    ids = [pool.add() for _ in range(100)]
    pool.close()

    assert info.error is not None
    assert (info.status, info.error.kind) == ("FAILURE", "raised")
    assert info.error.type.endswith(name)
    assert info.error.message.isprintable()
    assert info.error.message
    assert {pool.get(job_id).status for job_id in ids} == {"SUCCESS"}
