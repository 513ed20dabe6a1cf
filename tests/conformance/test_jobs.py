"""API: looking. The live jobs as a mapping, and the pool in numbers."""

import logging
import threading
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site

Settings = Any


def end(job_id: int, *, fails: bool = False) -> str:
    if fails:
        raise ValueError("it failed")
    return "result"


# JobInfo, field by field


def test_jobs_are_those_that_wait_and_run_and_no_others(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    running, cancelled, waiting = pool.add(), pool.add(), pool.add()
    gate.entered()
    pool.cancel(cancelled)

    assert list(pool.jobs) == [running, waiting]
    assert {job_id: info.status for job_id, info in pool.jobs.items()} == {
        running: "RUNNING",
        waiting: "WAITING",
    }
    assert [info.id for info in pool.jobs.values()] == [running, waiting]
    assert len(pool.jobs) == 2
    assert running in pool.jobs
    assert cancelled not in pool.jobs
    assert pool.jobs[waiting] == pool.get(waiting)
    assert pool.jobs.get(cancelled) is None


def test_jobs_that_are_not_there_are_key_errors(site: Site, task: MakeTask) -> None:
    pool = task(site.gate())

    for key in (12, "12", None, 1.5):
        with pytest.raises(KeyError):
            pool.jobs[key]  # type: ignore[index]


def test_jobs_can_not_be_written(site: Site, task: MakeTask) -> None:
    pool = task(site.gate())
    job_id = pool.add()

    with pytest.raises(TypeError):
        pool.jobs[job_id] = pool.get(job_id)  # type: ignore[index]
    with pytest.raises(TypeError):
        del pool.jobs[job_id]  # type: ignore[attr-defined]


def test_jobs_iterate_a_snapshot_while_jobs_come_and_go(task: MakeTask) -> None:
    pool = task(end, worker_nums=4, size=10_000)
    stop = threading.Event()
    errors: list[BaseException] = []

    def walk() -> None:
        try:
            while not stop.is_set():
                for job_id in pool.jobs:
                    pool.jobs.get(job_id)
                for job_id, info in pool.jobs.items():
                    assert (info.id, info.status in ("WAITING", "RUNNING")) == (job_id, True)
        except BaseException as error:
            errors.append(error)

    walkers = [threading.Thread(target=walk) for _ in range(2)]
    for walker in walkers:
        walker.start()
    for _ in range(1_000):
        pool.add()
    stop.set()
    for walker in walkers:
        walker.join(SECONDS)

    assert errors == []


def test_no_reader_sees_a_status_with_the_fields_of_another_moment(task: MakeTask) -> None:
    pool = task(end, worker_nums=2, attempts=1, attempt_after=0, size=10_000)
    ids: list[int] = []
    stop = threading.Event()
    wrong: list[object] = []

    def look() -> None:
        while not stop.is_set():
            for job_id in ids[-3:]:
                info = pool.get(job_id)
                ended = info.status in ("SUCCESS", "FAILURE")
                right = (
                    (info.ended_at is not None) == ended
                    and (info.error is not None) == (info.status == "FAILURE")
                    and (info.response is not None) == ended
                    and (info.attempt > 0 or info.status == "WAITING")
                )
                if not right:
                    wrong.append(info)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(500):
        ids.append(pool.add(fails=bool(number % 2)))
    stop.set()
    for reader in readers:
        reader.join(SECONDS)

    assert wrong == []


# Numbers


def test_metrics_count_what_happened_and_what_is(
    site: Site, task: MakeTask, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    gate = site.gate()

    def handler(job_id: int, what: str) -> None:
        if what == "fails":
            raise ValueError
        if what == "blocks":
            gate(job_id)

    caplog.set_level(logging.CRITICAL, "yao_tasks")
    pool = task(handler, worker_nums=1, size=2, attempts=1, attempt_after=0)
    pool.wait(pool.add("returns"), SECONDS)
    pool.wait(pool.add("fails"), SECONDS)
    pool.add("blocks")
    gate.entered()
    pool.add("returns")
    pool.cancel(pool.add("returns"))

    metrics = pool.metrics()

    counted = {key: metrics[key] for key in ("added", "started", "succeeded", "retried", "refused")}
    assert counted == {"added": 5, "started": 4, "succeeded": 1, "retried": 1, "refused": 0}
    assert metrics["failed"] == {"raised": 1, "timeout": 0, "cancelled": 1, "lost": 0}
    now = {key: metrics[key] for key in ("waiting", "delayed", "running", "workers", "stuck", "paused")}
    assert now == {"waiting": 1, "delayed": 0, "running": 1, "workers": 1, "stuck": 0, "paused": False}
    assert 0 < metrics["oldest_waiting"] < SECONDS
