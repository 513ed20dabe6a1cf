"""API: `Process` and `Progress`, the calling convention of the original document, and what its examples expect."""

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import Process, Progress, handlers, register, tasks
from yao_tasks.errors import JobNotFound, TaskNotFound

ITS_FIELDS = {"id", "status", "current", "total", "message", "response"}


# Verbs


def test_add_answers_an_id_and_get_six_fields(task: MakeTask) -> None:
    task(lambda job_id, *args: {"message": "ok", "args": args}, "test")

    job_id = Process("tasks.test.add", "test_data", 123)
    tasks["test"].wait(job_id, SECONDS)

    assert Process("tasks.test.get", job_id) == {
        "id": job_id,
        "status": "SUCCESS",
        "current": 0,
        "total": 0,
        "message": "",
        "response": {"message": "ok", "args": ("test_data", 123)},
    }


def test_right_after_add_a_job_waits_with_nothing_done(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    task(gate, "test", worker_nums=1)
    Process("tasks.test.add")
    gate.entered()

    job_id = Process("tasks.test.add", "test_data", 123)

    assert Process("tasks.test.get", job_id) == {
        "id": job_id,
        "status": "WAITING",
        "current": 0,
        "total": 0,
        "message": "",
        "response": None,
    }


def test_a_failure_is_called_so_and_its_response_is_the_errors_text(task: MakeTask) -> None:
    def handler(job_id: int, what: object, data: object) -> None:
        raise ValueError(f"can't do {what}")

    pool = task(handler, "error_test")

    job_id = Process("tasks.error_test.add", None, "test data")
    pool.wait(job_id, SECONDS)

    info = Process("tasks.error_test.get", job_id)
    assert (info["status"], info["response"]) == ("FAILURE", "can't do None")
    assert set(info) == ITS_FIELDS


def test_twenty_jobs_added_at_once_all_end(task: MakeTask) -> None:
    pool = task(lambda job_id, name, number: name, "concurrent", worker_nums=4)

    ids = [Process("tasks.concurrent.add", f"JOB_{number}", number) for number in range(1, 21)]

    assert all(job_id > 0 for job_id in ids)
    pool.close()
    assert [Process("tasks.concurrent.get", job_id)["response"] for job_id in ids] == [
        f"JOB_{number}" for number in range(1, 21)
    ]


@pytest.mark.parametrize("verb", ["add", "Add", "ADD"])
def test_the_case_of_a_verb_does_not_matter(task: MakeTask, verb: str) -> None:
    pool = task(lambda job_id: "result", "test")

    job_id = Process(f"tasks.test.{verb}")

    assert pool.wait(job_id, SECONDS).response == "result"
    assert Process("tasks.test.Get", job_id)["id"] == job_id


def test_the_case_of_a_task_does(task: MakeTask) -> None:
    task(lambda job_id: None, "test")

    with pytest.raises(TaskNotFound, match='Did you mean "test"'):
        Process("tasks.Test.add")


def test_ids_of_tasks_may_have_dots(task: MakeTask) -> None:
    pool = task(lambda job_id: "sent", "mail.to.welcome")

    job_id = Process("tasks.mail.to.welcome.add")

    assert pool.wait(job_id, SECONDS).response == "sent"
    assert Process("tasks.mail.to.welcome.get", job_id)["status"] == "SUCCESS"


def test_a_task_may_be_named_like_a_verb(task: MakeTask) -> None:
    task(lambda job_id: "got", "get")

    job_id = Process("tasks.get.add")
    tasks["get"].wait(job_id, SECONDS)

    assert Process("tasks.get.get", job_id)["response"] == "got"


def test_get_of_an_unknown_job_raises(task: MakeTask) -> None:
    task(lambda job_id: None, "test")

    with pytest.raises(JobNotFound, match='"test" has no job 12'):
        Process("tasks.test.get", 12)


def test_cancel_is_a_bool(site: Site, task: MakeTask) -> None:
    task(site.gate(), "test")
    job_id = Process("tasks.test.add")

    answers = [
        Process("tasks.test.cancel", job_id),
        Process("tasks.test.cancel", job_id),
        Process("tasks.test.cancel", 12),
    ]

    assert answers == [True, False, False]
    assert Process("tasks.test.get", job_id)["status"] == "FAILURE"


def test_config_is_a_dict_of_the_definition(task: MakeTask) -> None:
    pool = task(lambda job_id: None, "test", worker_nums=3, timeout=7, attempt_after=200)

    config = Process("tasks.test.config")

    assert type(config) is dict
    assert config == dict(pool.config)
    assert (config["name"], config["worker_nums"], config["timeout"]) == ("A test", 3, 7)
    assert config["process"]


def test_progress_is_none_and_moves_the_bar(site: Site, task: MakeTask, notes: Notes) -> None:
    gate = site.gate()
    task(gate, "test", event=notes.events("progress"))
    job_id = Process("tasks.test.add")
    gate.entered()

    assert Process("tasks.test.progress", job_id, 1, 100, "Progress 1/100") is None

    info = Process("tasks.test.get", job_id)
    assert (info["status"], info["current"], info["total"]) == ("RUNNING", 1, 100)
    assert info["message"] == "Progress 1/100"
    assert [note.values for note in notes.all] == [(1, 100, "Progress 1/100")]


def test_progress_of_an_ended_job_raises(task: MakeTask) -> None:
    pool = task(lambda job_id: None, "test")
    job_id = Process("tasks.test.add")
    pool.wait(job_id, SECONDS)

    with pytest.raises(JobNotFound):
        Process("tasks.test.progress", job_id, 1, 2, "too late")


# Refusals are 0, with a line


def refused(caplog: pytest.LogCaptureFixture, task: str, text: str) -> None:
    (line,) = [record for record in caplog.records if "no job was added" in record.getMessage()]
    assert line.levelno >= logging.WARNING
    assert line.getMessage().startswith(task)
    assert text in line.getMessage()


def test_a_full_queue_is_0_with_a_line(site: Site, task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    task(site.gate(), "test", worker_nums=1, size=1)
    Process("tasks.test.add"), Process("tasks.test.add")

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", "1 jobs waiting")


def test_a_closed_pool_is_0_with_a_line(task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    task(lambda job_id: None, "test").close()

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", "closed")


@pytest.mark.parametrize("answer", ["7", 1.5, True, 0, -1, 2**53, None])
def test_a_bad_id_is_0_with_a_line(task: MakeTask, caplog: pytest.LogCaptureFixture, answer: object) -> None:
    task(lambda job_id: None, "test", event={"next": lambda: answer})

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", repr(answer))


def test_a_taken_id_is_0_with_a_line(task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    task(lambda job_id: None, "test", event={"next": lambda: 7})
    Process("tasks.test.add")

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", "Job 7")


def test_a_failing_next_event_is_0_with_a_line(task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> int:
        raise ZeroDivisionError("no id today")

    task(lambda job_id: None, "test", event={"next": fail})

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", "no id today")


def test_what_is_no_refusal_raises(site: Site) -> None:
    (site.folder / "broken.json").write_text('{"name": "Broken"}')
    site.task("whole", lambda job_id: None)

    with pytest.raises(ImproperlyConfigured, match='"process" is missing'):
        Process("tasks.broken.add")
    with pytest.raises(TaskNotFound, match="whole"):
        Process("tasks.hole.add")


# Progress


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


@pytest.mark.parametrize(
    "name", ["", "tasks", "tasks.", "nonsense", "reports.build", "Tasks.test.add", "models.user.save"]
)
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

    assert str(error.value).startswith('"tasks.test.remove": tasks have no verb "remove". They have add, get')


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
