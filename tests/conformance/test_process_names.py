"""API: `Progress`, scripts, registered names, and names that are none."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks import Process, Progress, handlers, register, tasks
from yao_tasks.errors import TaskNotFound

ITS_FIELDS = {"id", "status", "current", "total", "message", "response"}


# Verbs


def test_inside_a_run_progress_means_that_run_whatever_task_is_named(task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()

    def handler(job_id: int) -> None:
        Progress("tasks.no_such_task.process", job_id, 1, 100, "Progress 1/100")
        entered.set()
        assert go.wait(SECONDS)

    pool = task(handler, "test")
    job_id = pool.add()
    assert entered.wait(SECONDS)

    info = pool.get(job_id)

    assert (info.current, info.total, info.message) == (1, 100, "Progress 1/100")
    go.set()
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


def test_outside_a_run_progress_means_the_task_named(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, "mail.welcome")
    job_id = pool.add()
    gate.entered()

    Progress("tasks.mail.welcome.process", job_id, 2, 4, "half")

    assert pool.get(job_id).percent == 50


def test_inside_a_run_another_jobs_progress_is_that_jobs(task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()

    def handler(job_id: int, other: int) -> None:
        if other:
            Progress("tasks.test.process", other, 2, 4, "from beside")
        else:
            entered.set()
            assert go.wait(SECONDS)

    pool = task(handler, "test")
    first = pool.add(0)
    assert entered.wait(SECONDS)

    second = pool.wait(pool.add(first), SECONDS)

    assert (second.status, second.message) == ("SUCCESS", "")
    assert pool.get(first).message == "from beside"
    go.set()


def test_progress_of_an_unknown_task_outside_a_run_raises(task: MakeTask) -> None:
    task(lambda job_id: None, "test")

    with pytest.raises(TaskNotFound):
        Progress("tasks.tset.process", 12, 1, 2)


# scripts and registered names


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package `scripts`, as a site of the original has."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "__init__.py").write_text("import os\n")
    (folder / "task.py").write_text(
        "import subprocess\nfrom yao_tasks import Progress\nSECRET = 'text'\n\n"
        "def Send(task_id, *args):\n"
        "    Progress('tasks.task.process', task_id, 1, 100, 'Progress 1/100')\n"
        "    return {'message': 'ok', 'args': args}\n\n"
        "def NextID():\n    return 1025\n"
    )
    (folder / "mail").mkdir()
    (folder / "mail" / "__init__.py").touch()
    (folder / "mail" / "out.py").write_text("def send(to):\n    return f'sent to {to}'\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name == "scripts" or name.startswith("scripts.")]:
        del sys.modules[name]


@pytest.mark.usefixtures("scripts")
def test_scripts_are_called_by_module_and_function() -> None:
    assert Process("scripts.task.NextID") == 1025
    assert Process("scripts.mail.out.send", "ada") == "sent to ada"


@pytest.mark.usefixtures("scripts")
def test_the_originals_example_runs_as_its_definition_says(site: Site, task: MakeTask) -> None:
    pool = site.task(
        "example", lambda job_id: None, process="scripts.task.Send", event={}, attempts=3, attempt_after=200
    )

    job_id = Process("tasks.example.add", "任务-1")
    info = pool.wait(job_id, SECONDS)

    assert info.response == {"message": "ok", "args": ("任务-1",)}
    assert (info.current, info.total, info.message) == (1, 100, "Progress 1/100")


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize(
    "name",
    [
        "scripts.nope.send",
        "scripts.task.nope",
        "scripts.task.SECRET",
        "scripts.task",
        "scripts.task.subprocess.call",
        "scripts.os.system",
        "scripts.task.Send.__class__",
    ],
)
def test_what_is_no_function_of_a_script_is_refused_and_named(name: str) -> None:
    before = set(sys.modules)

    with pytest.raises((LookupError, ImportError)) as error:
        Process(name, "true")

    assert name.split(".")[1] in str(error.value)
    assert {module for module in set(sys.modules) - before if not module.startswith("scripts")} == set()


def test_a_registered_name_is_called(site: Site) -> None:
    name = site.name(lambda *args: args)

    assert Process(name, 1, "two") == (1, "two")


def test_register_gives_a_function_a_name_and_leaves_it_as_it_was() -> None:
    @register("reports.build")
    def build(year: int) -> str:
        return f"report of {year}"

    try:
        assert (build(2025), Process("reports.build", 2026)) == ("report of 2025", "report of 2026")
    finally:
        del handlers.registered["reports.build"]


@pytest.mark.parametrize("name", ["", "tasks", "tasks.", "nonsense", "reports.build", "Tasks.test.add"])
def test_a_name_that_is_none_is_told_with_those_that_there_are(task: MakeTask, name: str) -> None:
    task(lambda job_id: None, "test")

    with pytest.raises(LookupError) as error:
        Process(name)

    assert f'"{name}"' in str(error.value)
    assert "tasks.<id>.<verb>" in str(error.value)


def test_an_unknown_verb_is_told_with_those_that_there_are(task: MakeTask) -> None:
    task(lambda job_id: None, "test")

    with pytest.raises(LookupError) as error:
        Process("tasks.test.remove", 12)

    assert str(error.value).startswith('"tasks.test.remove": tasks have no verb "remove". Known are add, get')


@pytest.mark.parametrize("name", ["os.system", "subprocess.call", "yao_tasks.x.__class__"])
def test_a_task_that_is_a_python_path_is_not_found_and_nothing_is_imported(task: MakeTask, name: str) -> None:
    """S11."""
    task(lambda job_id: None, "test")
    before = dict(sys.modules)

    for ask in (
        lambda: tasks[name],
        lambda: Process(f"tasks.{name}.add", "true"),
        lambda: Process(f"tasks.{name}.get", 1),
        lambda: Progress(f"tasks.{name}.process", 1, 2),
    ):
        with pytest.raises(TaskNotFound, match="No task is named"):
            ask()
    with pytest.raises(LookupError):
        Process(name, "true")

    assert sys.modules == before
    assert until(lambda: name not in tasks)
