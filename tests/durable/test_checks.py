"""System checks of durable tasks, and the commands that steer them."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import Site
from tests.durable.conftest import Durable, Rows
from yao_tasks import conf
from yao_tasks.journal.durable import checks


def codes() -> list[str]:
    return sorted(str(fault.code) for fault in checks.faults())


def test_nothing_is_asked_for_where_no_task_is_durable(site: Site, settings: Any) -> None:
    site.task("plain", lambda job_id: None)

    assert checks.faults() == []


def test_a_database_that_is_not_the_default_one_is_named(durable: Durable) -> None:
    durable(lambda job_id: None)

    assert codes() == ["W006"]


def test_sqlite_needs_its_options(site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site.task("job", lambda job_id: None, durable=True)
    assert codes() == []

    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {})
    (fault,) = checks.faults()

    assert fault.code == "W005"
    assert "DEFERRED" in fault.text


def test_a_pool_of_connections_must_be_large_enough(
    site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.task("job", lambda job_id: None, durable=True, worker_nums=10)
    options = {**settings.DATABASES["default"]["OPTIONS"], "pool": {"max_size": 4}}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)

    (fault,) = checks.faults()

    assert fault.code == "W007"
    assert "12 at once" in fault.text


def test_the_state_folder_must_be_set_and_local(
    site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.task("job", lambda job_id: None, durable=True)
    monkeypatch.setattr(checks, "file_system", lambda folder: "nfs4")
    (network,) = checks.faults()
    settings.YAO_TASKS = {"DIRS": settings.YAO_TASKS["DIRS"]}
    conf.reset()
    (missing,) = checks.faults()

    assert (network.code, missing.code) == ("W008", "W008")
    assert "nfs4" in network.text
    assert "isn't set" in missing.text


def test_the_file_system_of_a_folder_is_the_innermost() -> None:
    assert checks.file_system(Path("/proc/self")) == "proc"


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command("tasks", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_command_pauses_counts_and_resumes(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: None)
    pool.add()

    assert run("pause", "job") == {"task": "job", "paused": True}
    numbers = run("metrics", "job")
    assert (numbers["waiting"], numbers["paused"]) == (1, True)
    assert run("resume", "job") == {"task": "job", "paused": False}


def test_a_command_adds_without_waiting(durable: Durable, rows: Rows) -> None:
    durable(lambda job_id, name: None)

    answer = run("add", "job", "--args", '["ada"]')

    row = rows.of(answer["id"])
    assert row is not None
    assert (row.status, row.args) == (1, '[["ada"],{}]')


@pytest.mark.parametrize("verb", [["pause"], ["resume"], ["metrics"], ["resize"]])
def test_what_a_command_cant_reach_it_says(site: Site, verb: list[str]) -> None:
    site.task("plain", lambda job_id: None)
    more = ["3"] if verb == ["resize"] else []

    with pytest.raises(CommandError) as refused:
        run(*verb, "plain", *more)

    assert refused.value.returncode == 4
