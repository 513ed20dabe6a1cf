"""Chapter Yao v8go 引擎限制: waiting, which Python can do, and the numbers and diagnoses that follow in it."""

import threading
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from tests.seed.conftest import Script
from yao_tasks import Process
from yao_tasks.core import load
from yao_tasks.core.diary import Line, diary


@pytest.fixture(autouse=True)
def _a_quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "memory_usage", lambda: 0.5)
    monkeypatch.setattr(load, "cpu_usage", lambda: 0.5)


def test_任务监控实现方式_who_asks_and_who_waits_both_see_the_end(site: Site, script: Script) -> None:
    waiting, gate = script("waiting"), site.gate()
    site.task("example", gate)
    job_id = waiting.task_state_machine(0, "start")
    gate.entered()
    assert waiting.good_example(job_id) == {"completed": False}
    asker = threading.Thread(target=waiting.monitor_task, args=(job_id, 0.005))
    asker.start()
    gate.open()

    ended = waiting.monitor_task_without_asking(job_id)

    asker.join(SECONDS)
    assert (ended.status, asker.is_alive()) == ("SUCCESS", False)
    assert waiting.task_state_machine(job_id, "check")["status"] == "SUCCESS"
    assert waiting.task_state_machine(job_id, "complete")["id"] == job_id
    assert waiting.task_state_machine(job_id, "else") == {"error": "Unknown phase"}


def test_关键指标监控_the_numbers_are_plain(site: Site, script: Script) -> None:
    gate = site.gate()
    site.task("job", gate, worker_nums=1)
    for _ in range(3):
        Process("tasks.job.add")
    gate.entered()

    numbers = script("diagnosis").get_task_metrics()

    assert numbers == {
        "queue_length": 2,
        "active_workers": 1,
        "waiting_jobs": 2,
        "running_jobs": 1,
        "success_rate": 1,
        "avg_execution_time": 0,
        "error_rate": 0,
    }


def test_性能分析_a_backlog_failures_and_slow_tasks_are_told_with_what_to_do(
    site: Site, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    diagnosis, gate = script("diagnosis"), site.gate()
    site.task("job", gate, worker_nums=1)
    healthy = diagnosis.analyze_performance()
    for _ in range(12):
        Process("tasks.job.add")
    gate.entered()
    backlog = diagnosis.analyze_performance()
    known: dict[str, Any] = {"success_rate": 0.89, "avg_execution_time": 30_001}
    process = diagnosis.Process
    monkeypatch.setattr(
        diagnosis, "Process", lambda name, *args: known.get(name.split(".")[-1]) or process(name, *args)
    )

    bad = diagnosis.analyze_performance()

    assert healthy == {"status": "healthy", "warnings": [], "recommendations": []}
    assert backlog["warnings"] == ["jobs pile up"]
    assert bad["warnings"] == ["jobs pile up", "too many jobs fail", "jobs take long"]
    assert len(bad["recommendations"]) == 3


def test_常见问题诊断_what_is_wrong_is_listed(
    site: Site, script: Script, add_script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    diagnosis = script("diagnosis")

    def health_check() -> None:
        raise ConnectionError("no mail server")

    nothing = diagnosis.diagnose_task_system()
    site.task("example", lambda job_id: None)
    add_script("handler", health_check=lambda: None)
    good = diagnosis.diagnose_task_system()
    add_script("handler", health_check=health_check)
    monkeypatch.setattr(load, "memory_usage", lambda: 0.95)
    monkeypatch.setattr(load, "cpu_usage", lambda: 0.95)
    bad = diagnosis.diagnose_task_system()

    assert nothing["healthy"] is False
    assert nothing["issues"][0].startswith("the definition can't be loaded: ")
    assert good == {"healthy": True, "issues": [], "suggestions": []}
    assert bad["issues"] == [
        "the handler can't be used: no mail server",
        "the memory is nearly used up",
        "the processors are busy",
    ]
    assert len(bad["suggestions"]) == 3


def test_调试工具_a_job_that_is_there_is_shown_and_of_one_that_is_gone_its_log(
    site: Site, script: Script, add_script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    diagnosis, gate = script("diagnosis"), site.gate()
    pool = site.task("example", gate)
    add_script("handler", status=lambda: "up")
    job_id = Process("tasks.example.add")
    gate.entered()

    diagnosis.debug_task(job_id)
    shown = capsys.readouterr().out
    diary.write("example", 1025, Line(at=0.0, level="INFO", logger="shop", text="row 17"))
    diagnosis.debug_task(1025)

    assert "'status': 'RUNNING'" in shown
    assert "handler: up" in shown
    gone = capsys.readouterr().out
    assert "failed: " in gone
    assert "'text': 'row 17'" in gone
    gate.open()
    until(lambda: not pool.jobs, "it to end")
