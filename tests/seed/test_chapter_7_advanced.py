"""Chapter 高级API使用方法: batches, chains, retries with timeouts, and jobs by the load."""

import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from django.db import models

from tests.conftest import SECONDS, Site, until
from tests.seed.conftest import EXAMPLES, Script
from yao_tasks import Process
from yao_tasks.core import load
from yao_tasks.pools import Pool

Rows = dict[str, type[models.Model]]


def test_批量任务管理_fifty_jobs_and_how_far_they_are(site: Site, script: Script) -> None:
    batches, go = script("batches"), threading.Event()

    def handler(job_id: int, name: str, number: int) -> str:
        assert go.wait(SECONDS)
        if number == 50:
            raise ValueError("the last one fails")
        return name

    pool = site.task("data_process", handler, worker_nums=2)
    ids = batches.batch_task_management()
    before = batches.check_batch_task_status(ids)
    go.set()
    list(pool.as_completed(ids, SECONDS))

    after = batches.check_batch_task_status([*ids, ids[-1] + 10**6])

    assert len(ids) == len(set(ids)) == 50
    assert set(before) == {"total", "completed", "success", "failed", "progress", "results"}
    assert (before["total"], before["completed"], before["progress"]) == (50, 0, 0)
    assert {one["status"] for one in before["results"]} == {"WAITING", "RUNNING"}
    assert before["results"][0]["progress"] == "0/0"
    numbers = {key: after[key] for key in ("total", "completed", "success", "failed", "progress")}
    assert numbers == {"total": 51, "completed": 51, "success": 49, "failed": 1, "progress": 100}
    assert after["results"][0] == {"id": ids[0], "status": "success", "result": "batch_1"}
    assert after["results"][49] == {"id": ids[49], "status": "failed", "error": "the last one fails"}
    assert after["results"][50]["status"] == "completed"


@pytest.fixture
def chain(site: Site, script: Script) -> Any:
    """The module, over a task whose jobs say what they are; `process` of `bad` fails."""

    def handler(job_id: int, kind: str, data: str) -> str:
        if data == "bad":
            raise ValueError("can't be processed")
        return f"{kind} {data}"

    module = script("chains")
    module.pool = site.task("chain", handler)
    return module


def follow(chain: Any, state: dict[str, Any]) -> list[dict[str, Any]]:
    """Call the step from outside, as the document says, until it has ended; answers what the steps answered."""
    answers = []
    while not answers or not (answers[-1].get("completed") or answers[-1].get("error")):
        answers.append(chain.execute_task_chain_step(state))
        if state["currentTaskId"]:
            chain.pool.wait(state["currentTaskId"], SECONDS)
    return answers


def test_任务链式执行_each_step_starts_when_the_one_before_has_succeeded(chain: Any) -> None:
    state = chain.task_chain_example()
    first = state["currentTaskId"]
    chain.pool.wait(first, SECONDS)

    answers = follow(chain, state)

    started = [one["task"]["type"] for one in answers if one.get("started")]
    assert started == ["process", "notify"]
    assert answers[-1]["completed"] is True
    assert (state["status"], state["currentIndex"]) == ("completed", 3)
    infos = chain.pool.search(order="added_at")
    assert [info.args[0] for info in infos] == ["validate", "process", "notify"]
    assert all(one.ended_at <= two.added_at for one, two in pairwise(infos))


def test_任务链式执行_a_step_that_fails_ends_the_chain_with_its_reason(chain: Any) -> None:
    data = ["good", "bad", "good"]
    state = chain.create_task_chain([{"type": f"step{n}", "data": one} for n, one in enumerate(data)])

    answers = follow(chain, state)

    assert answers[-1]["error_detail"] == "can't be processed"
    assert answers[-1]["message"] == "step1 failed: the chain stops"
    assert state["status"] == "failed"
    assert chain.pool.metrics()["added"] == 2


def test_任务链式执行_a_step_that_finds_no_place_ends_it_and_one_that_runs_is_waited_for(
    chain: Any, site: Site
) -> None:
    gate = site.gate()
    chain.pool = site.task("chain", gate, worker_nums=1, size=1)
    state, other = (chain.create_task_chain([{"type": "one", "data": "x"}]) for _ in range(2))
    chain.execute_task_chain_step(state)
    chain.pool.add()

    running, refused = chain.execute_task_chain_step(state), chain.execute_task_chain_step(other)

    assert running == {"running": True, "message": "one is running"}
    assert refused == {"error": True, "message": "one could not be added"}


@pytest.fixture
def unreliable(
    script: Script, add_script: Callable[..., None], definition: Callable[..., Pool]
) -> Callable[..., Any]:
    """The task of the section with this handler, its waits shortened; answers the pool and what events told."""

    def make(handler: Callable[..., Any], timeout: str = "10") -> tuple[Pool, list[Any]]:
        told: list[Any] = []
        add_script(
            "unreliable_task",
            process=handler,
            onError=lambda job_id, error: told.append(error),
            onSuccess=lambda job_id, result: told.append(result),
        )
        (text,) = [block.text for block in EXAMPLES if block.file == "tasks/unreliable.yao"]
        text = text.replace('"attempt_after": 1000', '"attempt_after": 10')
        pool = definition("unreliable", text.replace('"timeout": 10', f'"timeout": {timeout}'))
        return pool, told

    return make


def test_任务超时和重试处理_it_is_tried_four_times_and_then_fails_for_good(
    unreliable: Callable[..., Any], script: Script
) -> None:
    runs, go = [], threading.Event()

    def handler(job_id: int, data: str) -> None:
        runs.append(data)
        assert go.wait(SECONDS)
        raise ConnectionError("unreachable")

    pool, told = unreliable(handler)
    retries = script("retries")
    job_id = retries.task_with_retry_and_timeout()
    until(lambda: runs, "it to begin")

    running = retries.check_task_retry_status(job_id)
    go.set()
    pool.wait(job_id, SECONDS)

    assert running == {"running": True, "status": "RUNNING", "message": ""}
    assert retries.check_task_retry_status(job_id) == {
        "completed": True,
        "success": False,
        "message": "it failed for good: unreachable",
    }
    until(lambda: told, "the event")
    assert runs == ["test_data"] * 4
    assert [str(error) for error in told] == ["unreachable"]


def test_任务超时和重试处理_a_run_that_recovers_succeeds_and_one_that_hangs_times_out(
    unreliable: Callable[..., Any], script: Script
) -> None:
    runs: list[str] = []

    def flaky(job_id: int, data: str) -> str:
        runs.append(data)
        if len(runs) < 3:
            raise ConnectionError("unreachable")
        return "there"

    pool, _ = unreliable(flaky)
    job_id = script("retries").task_with_retry_and_timeout()
    assert pool.wait(job_id, SECONDS).attempt == 3
    assert script("retries").check_task_retry_status(job_id)["message"] == "it succeeded: there"

    go = threading.Event()
    pool, _ = unreliable(lambda job_id, data: go.wait(SECONDS), timeout="0.05")
    job_id = script("retries").task_with_retry_and_timeout()
    pool.wait(job_id, SECONDS)
    go.set()

    assert "longer than" in script("retries").check_task_retry_status(job_id)["message"]
    gone = script("retries").check_task_retry_status(job_id + 10**6)
    assert gone == {"completed": True, "message": "there is no such task, or it has ended"}


def test_动态任务管理_jobs_are_added_while_there_is_room(site: Site, script: Script, rows: Rows) -> None:
    gate = site.gate()
    site.task("dynamic", gate, worker_nums=5)
    keys = [
        Process("models.pending_tasks.save", {"type": "mail", "data": {"to": number}}) for number in range(7)
    ]
    pending = script("pending")

    pending.dynamic_task_management()
    gate.entered(5)
    pending.dynamic_task_management()  # 5 of 5: too many run for more

    found = Process("models.pending_tasks.list", {"id": keys})
    assert [row["status"] for row in found] == ["queued"] * 5 + ["pending"] * 2
    added = [row["async_task_id"] for row in found if row["async_task_id"]]
    assert [Process("tasks.dynamic.get", one)["status"] for one in added] == ["RUNNING"] * 5
    status = Process("system.monitor.status")
    assert (status["active_tasks"], status["max_tasks"]) == (5, 5)


def test_动态任务管理_the_machine_is_told_of(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setattr(load, "memory_usage", lambda: 0.25)

    assert Process("system.monitor.status")["memory_usage"] == 0.25
