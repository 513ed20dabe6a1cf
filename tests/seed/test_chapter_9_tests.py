"""Chapter 测试用例: each of its functions, with what its comments state."""

import threading
import time
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from tests.seed.conftest import Script
from yao_tasks import Process, Progress, tasks


@pytest.fixture
def suite(script: Script) -> Any:
    """The module that the page's second half is."""
    return script("suite")


def report(job_id: int, *args: Any) -> dict[str, str]:
    """A handler as the document's."""
    Progress("tasks.task.process", job_id, 1, 100, "Progress 1/100")
    return {"message": "ok"}


def test_基础功能测试_waiting_then_running_then_success(site: Site, suite: Any, capsys: Any) -> None:
    gate = site.gate()

    def handler(job_id: int, *args: Any) -> Any:
        report(job_id)
        return gate(job_id, {"message": "ok"})

    pool = site.task("test", handler, worker_nums=1)
    site_first = pool.add()
    gate.entered()

    job_id = suite.basic_task_test_start()

    assert "'status': 'WAITING', 'current': 0, 'total': 0, 'message': ''" in capsys.readouterr().out
    assert Process("tasks.test.get", job_id)["status"] == "WAITING"
    pool.cancel(site_first)
    gate.entered()
    running = suite.basic_task_test_check(job_id, 1)
    assert (running["phase"], running["info"]["status"]) == (1, "RUNNING")
    assert (running["info"]["current"], running["info"]["total"]) == (1, 100)
    assert running["info"]["message"] == "Progress 1/100"
    assert suite.basic_task_test_check(job_id, 2)["running"] is True
    gate.open()
    pool.wait(job_id, SECONDS)
    ended = {"completed": True, "status": "SUCCESS", "result": {"message": "ok"}}
    assert suite.basic_task_test_check(job_id, 2) == ended
    assert suite.basic_task_test_check(404) == {"completed": True, "status": "cleaned"}


def test_基础功能测试_a_job_that_is_refused_is_none(site: Site, suite: Any) -> None:
    site.task("test", report).close()

    assert suite.basic_task_test_start() is None


def test_并发任务测试_twenty_run_at_once_and_all_succeed(site: Site, suite: Any) -> None:
    gate = site.gate()
    site.task("concurrent", lambda job_id, name, number: gate(job_id, name), worker_nums=5)

    ids = suite.concurrent_task_test_add()
    gate.entered(5)
    busy = suite.concurrent_task_test_monitor(ids)
    gate.open()
    list(tasks["concurrent"].as_completed(ids, SECONDS))
    ended = suite.concurrent_task_test_monitor(ids, 1)

    assert len(set(ids)) == 20
    assert (busy["waiting"], busy["running_count"], busy["completed"], busy["check_count"]) == (15, 5, 0, 1)
    assert suite.concurrent_task_test_monitor([404], 30)["completed"] is True
    results = ended["results"]
    assert {key: results[key] for key in results if key != "details"} == {
        "total": 20,
        "success": 20,
        "failed": 0,
        "success_rate": 100,
    }
    assert [results["details"][one]["response"] for one in ids] == [f"JOB_{n}" for n in range(1, 21)]


def test_并发任务测试_it_gives_up_after_thirty_looks(site: Site, suite: Any) -> None:
    site.task("concurrent", lambda job_id, *args: gate(job_id))
    gate = site.gate()
    ids = suite.concurrent_task_test_add()

    assert suite.concurrent_task_test_monitor(ids, 29)["running"] is True
    assert suite.concurrent_task_test_monitor(ids, 30) == {
        "timeout": True,
        "message": "the test takes too long",
    }


def test_进度更新测试_it_goes_up_step_by_step(site: Site, suite: Any, capsys: Any) -> None:
    gates = [site.gate() for _ in range(3)]

    def handler(job_id: int, steps: int, delay: int) -> str:
        for step in range(1, steps + 1):
            Process("tasks.progress_test.progress", job_id, step, steps, f"step {step}")
            if step in (2, 4):
                gates[step // 2](job_id)
        return "done"

    pool = site.task("progress_test", handler)
    job_id = suite.progress_update_test_start()
    seen = []
    for gate in gates[1:]:
        gate.entered()
        last = seen[-1] if seen else None
        seen.append(suite.progress_update_test_monitor(job_id, last)["progress"])
        gate.open()
    pool.wait(job_id, SECONDS)

    assert seen == [
        {"current": 2, "total": 5, "percentage": 40, "message": "step 2"},
        {"current": 4, "total": 5, "percentage": 80, "message": "step 4"},
    ]
    ended = suite.progress_update_test_monitor(job_id, seen[-1])
    assert (ended["completed"], ended["success"], ended["result"]) == (True, True, "done")
    assert "backwards" not in capsys.readouterr().out
    assert suite.progress_update_test_monitor(404)["message"].startswith("the task is gone: ")


def test_错误处理测试_bad_arguments_exceptions_and_timeouts_fail_with_their_reasons(
    site: Site, suite: Any
) -> None:
    gate = site.gate()

    def fails(job_id: int, what: str | None, data: str | None = None) -> None:
        if what is None:
            raise TypeError("there is nothing to do")
        raise ValueError(f"{what}: {data}")

    site.task("timeout_test", lambda job_id, seconds: gate(job_id), timeout=0.05)
    site.task("error_test", fails)

    test_tasks = suite.error_handling_test_start()
    until(lambda: suite.error_handling_test_monitor(test_tasks)["all_completed"], "all to end")
    found = suite.error_handling_test_monitor(test_tasks, {"error": 7})

    assert [one["name"] for one in test_tasks.values()] == ["invalid arguments", "an exception", "a timeout"]
    assert {one["status"] for one in found["results"].values()} == {"failed"}
    reasons = [found["results"][one]["reason"] for one in ("invalid", "error", "timeout")]
    assert reasons[:2] == ["there is nothing to do", "throw_error: test data"]
    assert "longer than 0.05 s" in reasons[2]
    assert found["check_counts"] == {"invalid": 1, "error": 8, "timeout": 1}


@pytest.mark.slow
def test_性能压力测试_a_thousand_jobs_in_batches_of_fifty_all_succeed(site: Site, suite: Any) -> None:
    site.task("stress", lambda job_id, name, number: time.sleep(0.01), worker_nums=20, size=1000)
    state = suite.performance_stress_test_init()

    while suite.performance_stress_test_add_batch(state)["status"] == "adding":
        time.sleep(state["config"]["batchInterval"] / 1000)
    answer = until(
        lambda: (now := suite.performance_stress_test_monitor(state)).get("completed") and now, "all to end"
    )

    assert (state["batchesAdded"], len(set(state["taskIds"]))) == (20, 1000)
    numbers = {key: answer["results"][key] for key in ("total_tasks", "success_tasks", "failed_tasks")}
    assert numbers == {"total_tasks": 1000, "success_tasks": 1000, "failed_tasks": 0}
    assert answer["results"]["success_rate"] == 100


@pytest.mark.slow
def test_性能压力测试_without_pauses_it_takes_hardly_longer_than_its_sleeps(site: Site) -> None:
    pool = site.task("stress", lambda job_id, number: time.sleep(0.01), worker_nums=20, size=1000)

    def stress() -> float:
        start = time.monotonic()
        for batch in range(20):
            ids = [Process("tasks.stress.add", batch * 50 + number) for number in range(50)]
            assert all(ids)
        pool.wait(ids[-1], SECONDS)
        until(lambda: not pool.jobs, "all to end")
        return time.monotonic() - start

    stress()  # the threads start
    best = ideal = float("inf")
    # In turn, and as often as it takes: a neighbour that has the machine for a moment has it from either.
    for _ in range(15):
        best, ideal = min(best, stress()), min(ideal, _sleeps())
        if best <= 1.06 * ideal:
            break

    assert pool.metrics()["succeeded"] % 1_000 == 0
    assert best <= 1.06 * ideal


def _sleeps() -> float:
    """What the sleeps take without any pool: 50 of 10 ms in each of 20 threads, 0.5 s where nothing else is to do."""
    threads = [threading.Thread(target=lambda: [time.sleep(0.01) for _ in range(50)]) for _ in range(20)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start


@pytest.mark.slow
def test_综合测试套件_all_five_are_completed(site: Site, suite: Any) -> None:
    def steps(job_id: int, count: int, delay: int) -> str:
        for step in range(count):
            Process("tasks.progress_test.progress", job_id, step + 1, count, f"step {step + 1}")
            time.sleep(delay / 8_000)
        return "done"

    def fails(job_id: int, *args: Any) -> None:
        raise ValueError("no")

    for name, handler in {
        "test": report,
        "concurrent": report,
        "error_test": fails,
        "progress_test": steps,
    }.items():
        site.task(name, handler)
    site.task("timeout_test", lambda job_id, seconds: time.sleep(0.3), timeout=0.1)
    site.task("stress", lambda job_id, name, number: time.sleep(0.01), worker_nums=20, size=1000)

    ended = suite.run_all(0.02)

    assert [(test["name"], test["status"]) for test in ended["tests"]] == [
        ("basic", "completed"),
        ("concurrent", "completed"),
        ("progress", "completed"),
        ("error", "completed"),
        ("stress", "completed"),
    ]
    assert suite.run_test_suite_run(ended, 5)["completed"] is True
    assert {one["status"] for one in ended["test_data"]["error_results"].values()} == {"failed"}
