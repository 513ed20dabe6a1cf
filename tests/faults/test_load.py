"""Many who wait for a place, many who wait for an end, and many reports."""

import asyncio
import threading
import time
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from tests.faults.test_pool import in_threads
from yao_tasks import boot, current_job
from yao_tasks.errors import QueueFull


@pytest.mark.parametrize("jobs", [1_600, pytest.param(20_000, marks=pytest.mark.slow)])
def test_all_who_wait_for_a_place_get_one_or_are_refused(site: Site, jobs: int) -> None:
    """L3."""
    ended: list[int] = []
    pool = site.task(
        "job",
        lambda job_id: None,
        worker_nums=4,
        size=1,
        overflow="wait",
        overflow_wait=2,
        event={"success": lambda job_id, _: ended.append(job_id)},
    )
    accepted: list[int] = []
    refused: list[float] = []

    def add() -> None:
        for _ in range(jobs // 8):
            began = time.monotonic()
            try:
                accepted.append(pool.add())
            except QueueFull:
                refused.append(time.monotonic() - began)

    began = time.monotonic()
    in_threads(8, add)

    until(lambda: not pool.jobs, "all to end")
    assert time.monotonic() - began < 60
    pool.close()
    assert sorted(ended) == sorted(accepted)
    assert len(accepted) + len(refused) == jobs
    assert all(seconds >= 2 for seconds in refused)
    assert (pool.metrics()["succeeded"], pool.metrics()["refused"]) == (len(accepted), len(refused))


def test_those_who_wait_in_vain_are_refused_after_their_time(site: Site) -> None:
    """L3: with workers that never finish."""
    pool = site.task("job", site.gate(), worker_nums=1, size=1, overflow="wait", overflow_wait=0.3)
    pool.add(), pool.add()
    times: list[float] = []

    def add() -> None:
        began = time.monotonic()
        with pytest.raises(QueueFull):
            pool.add()
        times.append(time.monotonic() - began)

    in_threads(8, add)

    assert len(times) == 8
    assert all(0.3 <= seconds < 1 for seconds in times), times


@pytest.mark.parametrize("waiters", [100, pytest.param(1_000, marks=pytest.mark.slow)])
def test_threads_that_wait_for_one_job_wake_within_a_second_and_idle_until_then(
    site: Site, waiters: int
) -> None:
    """L8."""
    gate = site.gate()
    pool = site.task("job", gate, timeout=60)
    job_id = pool.add("result")
    gate.entered()
    woken: list[float] = []

    def wait() -> None:
        assert pool.wait(job_id, 60).response == "result"
        woken.append(time.monotonic())

    threads = [threading.Thread(target=wait) for _ in range(waiters)]
    for thread in threads:
        thread.start()
    engine_waits(job_id, pool, waiters)
    used = idle_share(0.25)

    opened = time.monotonic()
    gate.open()
    for thread in threads:
        thread.join(SECONDS)

    assert used < 0.2
    assert len(woken) == waiters
    assert max(woken) - opened < 1


@pytest.mark.parametrize("waiters", [200, pytest.param(1_000, marks=pytest.mark.slow)])
def test_coroutines_that_wait_for_one_job_wake_within_a_second_and_idle_until_then(
    site: Site, waiters: int
) -> None:
    """L8."""
    gate = site.gate()
    pool = site.task("job", gate, timeout=60)
    job_id = pool.add("result")
    gate.entered()

    async def main() -> tuple[float, float]:
        tasks = [asyncio.ensure_future(pool.await_end(job_id, 60)) for _ in range(waiters)]
        await asyncio.sleep(0.05)
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(0.25)
        used = (time.process_time() - cpu) / (time.monotonic() - began)
        opened = time.monotonic()
        gate.open()
        assert {info.response for info in await asyncio.gather(*tasks)} == {"result"}
        return used, time.monotonic() - opened

    used, seconds = asyncio.run(main())

    assert used < 0.2
    assert seconds < 1


def engine_waits(job_id: int, pool: Any, waiters: int) -> None:
    """Wait until so many wait for the job."""

    engine: Any = boot.engine(pool.id)
    until(lambda: len(engine.find(job_id).waiters or ()) == waiters, "all to wait")


def idle_share(seconds: float) -> float:
    """Which part of a processor this process uses while the caller sleeps."""
    began, cpu = time.monotonic(), time.process_time()
    time.sleep(seconds)
    return (time.process_time() - cpu) / (time.monotonic() - began)


@pytest.mark.parametrize("reports", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_flood_of_reports_keeps_the_last_exactly(site: Site, reports: int) -> None:
    """L10: the value."""
    told: list[int] = []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        for number in range(1, reports + 1):
            job.progress(number, reports, f"report {number}")

    pool = site.task(
        "job",
        handler,
        timeout=120,
        event={"progress": lambda job_id, current, total, message: told.append(current)},
    )

    info = pool.wait(pool.add(), 120)

    assert (info.status, info.current, info.total) == ("SUCCESS", reports, reports)
    assert (info.message, info.percent) == (f"report {reports}", 100)
    assert told == list(range(1, reports + 1))


@pytest.mark.slow
def test_a_job_that_reports_all_the_time_is_less_than_twice_as_slow(site: Site) -> None:
    """L10: the time, with 0.1 ms of work between two reports."""
    reports, rounds = 20_000, 5

    def work() -> None:
        until = time.thread_time() + 0.0001
        while time.thread_time() < until:
            pass

    def handler(job_id: int, *, loud: bool) -> float:
        job = current_job()
        assert job is not None
        # Its own time, whatever else the machine does.
        began = time.thread_time()
        for number in range(reports):
            work()
            if loud:
                job.progress(number, reports, "working")
        return time.thread_time() - began

    pool = site.task("job", handler, worker_nums=1, timeout=300)
    times: dict[bool, list[float]] = {True: [], False: []}

    # 100,000 reports in all, in turns with rounds that are quiet.
    for _ in range(rounds):
        for loud in (True, False):
            times[loud].append(pool.wait(pool.add(loud=loud), 300).response)

    assert min(times[True]) < 2 * min(times[False])
