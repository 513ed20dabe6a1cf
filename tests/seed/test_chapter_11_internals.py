"""Chapter 技术实现细节: how a pool is made, and its strategies."""

import threading
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from tests.seed.conftest import Script
from yao_tasks import Process, current_job
from yao_tasks.errors import JobCancelled


def test_任务池架构_a_fixed_number_of_workers_and_a_bounded_queue(site: Site) -> None:
    gate = site.gate()
    pool = site.task("job", gate, worker_nums=3, size=4)

    ids = [Process("tasks.job.add") for _ in range(10)]

    gate.entered(3)
    assert [one > 0 for one in ids] == [True] * 7 + [False] * 3
    assert (pool.metrics()["workers"], len(pool.jobs)) == (3, 7)


def test_上下文管理_a_cancel_reaches_the_run_and_its_worker_goes_on(site: Site) -> None:
    seen, told = threading.Event(), []

    def handler(job_id: int, wait: bool) -> str:
        job = current_job()
        assert job is not None
        if wait:
            seen.set()
            until(lambda: job.cancelled, "the cancel")
        return "done"

    pool = site.task("job", handler, worker_nums=1, event={"error": lambda job_id, error: told.append(error)})
    job_id = Process("tasks.job.add", True)
    assert seen.wait(SECONDS)

    assert Process("tasks.job.cancel", job_id) is True

    assert pool.wait(pool.add(False), SECONDS).response == "done"
    until(lambda: told, "the event")
    assert type(told[0]) is JobCancelled


def test_线程安全_ids_of_many_threads_are_never_the_same(site: Site) -> None:
    site.task("job", lambda job_id: None, size=1_000)
    ids: list[int] = []

    def add() -> None:
        ids.extend(Process("tasks.job.add") for _ in range(50))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(ids)) == 400


# 性能优化策略


def test_批量任务处理_batches_with_their_delays(site: Site, script: Script) -> None:
    tuning = script("tuning")
    gate = site.gate()
    site.task("batch", gate, worker_nums=1, size=60)
    batches = tuning.add_batch_tasks_prepare(list(range(120)))

    first = tuning.add_batch_tasks_execute(batches, 0)

    assert [(len(batch["tasks"]), batch["delay"]) for batch in batches] == [(50, 0), (50, 100), (20, 200)]
    assert first == {"batch_completed": True, "batch_index": 0, "next_batch": 1, "delay": 0}
    assert tuning.add_batch_tasks_execute(batches, 3)["completed"] is True
    tuning.bad_example(range(50))
    assert Process("tasks.batch.metrics")["refused"] == 50 + 50 - 61


def test_内存优化_ended_jobs_are_taken_out_of_ones_own_list(site: Site, script: Script) -> None:
    tuning, gate = script("tuning"), site.gate()
    pool = site.task("example", lambda job_id, wait: gate(job_id) if wait else None)
    ids = [Process("tasks.example.add", wait) for wait in (False, True)]
    pool.wait(ids[0], SECONDS)

    first = tuning.monitor_tasks_check([*ids, 404])
    second = tuning.monitor_tasks_check(ids, set(first["active_tasks"]))

    assert first == {"active_tasks": [ids[1]], "completed_count": 2, "remaining_count": 1}
    assert second == {"active_tasks": [ids[1]], "completed_count": 0, "remaining_count": 1}


@pytest.mark.parametrize(
    ("load", "waiting", "wanted"),
    [(0.5, 101, 15), (0.5, 100, 10), (0.8, 101, 10), (0.95, 101, 8), (0.95, 0, 8)],
)
def test_工作进程调优_the_rule_of_thumb(
    site: Site, script: Script, monkeypatch: pytest.MonkeyPatch, load: float, waiting: int, wanted: int
) -> None:
    tuning, gate = script("tuning"), site.gate()
    pool = site.task("job", gate, worker_nums=10, size=1_000)
    known: dict[str, Any] = {"system.monitor.load": load, "tasks.queue.length": waiting}
    monkeypatch.setattr(tuning, "Process", known.__getitem__)

    assert tuning.optimize_worker_nums("job", 2, 40) == wanted

    assert pool.metrics()["worker_nums"] == wanted
