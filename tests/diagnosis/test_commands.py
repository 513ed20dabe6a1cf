"""`manage.py tasks check --run` and `manage.py tasks debug`."""

import json

import pytest

from tests.conftest import Site
from tests.django.test_commands import run
from yao_tasks.core import load
from yao_tasks.diagnosis import health
from yao_tasks.diagnosis.health import Health


def handler(job_id: int) -> None: ...


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "CLOSEST", 0.0)
    monkeypatch.setattr(load, "memory_usage", lambda: 0.25)
    monkeypatch.setattr(load, "cpu_usage", lambda: 0.95)


def test_check_run_of_tasks_in_memory_says_what_it_can_not_see(site: Site) -> None:
    site.task("mail", handler)

    text, code = run("tasks", "check", "--run")

    assert code == 0
    assert "1 definitions, no faults." in text
    assert [line.split() for line in text.splitlines() if line.startswith("mail")] == [
        ["mail", "importable", "?", "?", "2", "?", "?"]
    ]
    assert "memory 25%, processors 95%" in text
    assert "- machine: The machine's processors are busy to 95 %. Have fewer workers" in text
    assert "Jobs of mail live in the memory of the processes that added them" in text


def test_check_run_has_a_code_for_errors_and_says_it_in_json(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.task("mail", handler)
    bad = {"mail": Health(error="OSError: no disk")}
    monkeypatch.setattr(health, "ask_all", lambda definitions: bad)

    text, code = run("tasks", "check", "--run", "--json")

    found = json.loads(text)
    assert code == 1
    assert set(found) == {"faults", "findings", "tasks", "machine"}
    assert [(one["code"], one["is_error"], one["task"]) for one in found["findings"]] == [
        ("unhealthy", True, "mail"),
        ("processors", False, ""),
    ]
    assert found["machine"] == {"memory": 0.25, "processors": 0.95}


def test_check_without_run_looks_at_files_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.task("mail", handler)
    monkeypatch.setattr(health, "ask_all", lambda definitions: 1 / 0)

    assert run("tasks", "check") == ("1 definitions, no faults.\n", 0)


def test_a_task_that_can_not_be_used_is_told_and_the_files_fault_wins(site: Site) -> None:
    site.task("mail", handler, process="no.such.module")

    text, code = run("tasks", "check", "--run")

    assert code == 2
    assert "! mail: It can't be used: " in text


def test_debug_of_what_can_not_be_seen_tells_of_its_task(site: Site) -> None:
    site.task("mail", handler)

    text, code = run("tasks", "debug", "mail", "404")

    assert code == 4
    assert text.startswith("Job 404 can't be seen: ")
    assert "handler: can be imported" in text
    assert run("tasks", "debug", "mial", "404") == ('No task is named "mial". Did you mean "mail"?', 2)
