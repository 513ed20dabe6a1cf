"""`manage.py tasks` and `manage.py runtasks`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import Site
from yao_tasks import boot
from yao_tasks.pools import tasks

ROOT = Path(__file__).parent.parent.parent


def run(*args: str) -> tuple[str, int]:
    """What a command writes, and its exit code."""
    out = StringIO()
    try:
        call_command(*args, stdout=out)
    except CommandError as error:
        return str(error), error.returncode
    except SystemExit as error:
        return out.getvalue(), int(error.code or 0)
    return out.getvalue(), 0


def greet(job_id: int, name: str, *, loud: bool = False) -> str:
    return f"Hello {name}{'!' if loud else ''}"


def fail(job_id: int) -> None:
    raise ValueError("no \x1b[31mway")


# list


def test_list_shows_each_task_with_what_its_definition_says(site: Site) -> None:
    site.task("mail.welcome", greet, worker_nums=3)

    text, code = run("tasks", "list")

    assert code == 0
    head, row = text.splitlines()
    assert head.split() == ["id", "name", "worker_nums", "runs_as", "size", "timeout", "attempts", "process"]
    assert row.split()[0] == "mail.welcome"
    assert row.split()[3:5] == ["3", "thread"]


def test_list_shows_what_runs_a_task_whatever_its_definition_says(site: Site) -> None:
    async def greet_later(job_id: int) -> None: ...

    site.task("later", greet_later)
    site.task("lost", greet, process="no.such.module")

    text, _ = run("tasks", "list", "--json")

    rows = {row["id"]: (row["worker_type"], row["runs_as"]) for row in json.loads(text)["tasks"]}
    assert rows == {"later": ("auto", "async"), "lost": ("auto", "")}


def test_list_names_what_is_wrong_and_shows_the_others(site: Site) -> None:
    site.task("good", greet)
    site.task("lost", greet, process="no.such.module")
    (site.folder / "broken.json").write_text("{")
    boot.reset()

    text, code = run("tasks", "list", "--json")

    assert code == 0
    data = json.loads(text)
    assert [row["id"] for row in data["tasks"]] == ["good", "lost"]
    assert "broken.json" in data["faults"][0]
    assert "no.such.module" in data["tasks"][1]["faults"][0]


def test_list_without_tasks_says_how_to_begin(site: Site) -> None:
    assert run("tasks", "list") == ("There are no tasks. `manage.py tasks new` writes a definition.\n", 0)


# check


def test_check_reports_all_faults_and_leaves_with_2(site: Site) -> None:
    site.task("lost", greet, process="no.such.module")
    (site.folder / "broken.json").write_text("{")
    boot.reset()

    text, code = run("tasks", "check")

    assert code == 2
    assert "yao_tasks.E002" in text
    assert "yao_tasks.E011" in text
    assert "2 faults." in text


def test_check_is_content_with_good_definitions(site: Site) -> None:
    site.task("good", greet)

    text, code = run("tasks", "check")

    assert (text, code) == ("1 definitions, no faults.\n", 0)


# new


def test_new_writes_a_definition_that_is_good_as_it_stands(site: Site) -> None:
    _, code = run("tasks", "new", "mail.welcome_email", site.name(greet))

    boot.reset()
    assert code == 0
    assert (site.folder / "mail" / "welcome_email.yao").exists()
    assert run("tasks", "check")[1] == 0
    assert tasks["mail.welcome_email"].config.name == "Welcome email"


@pytest.mark.parametrize(
    ("task", "process", "text"),
    [
        ("../evil", "a.b", "can't be a task id"),
        ("/etc/evil", "a.b", "can't be a task id"),
        ("health", "a.b", "can't be a task id"),
        ("", "a.b", "can't be a task id"),
        ("mail", "not a name", "is no name of a callable"),
        ("there", "a.b", 'There is a task "there" already'),
    ],
)
def test_new_refuses_what_it_can_not_write(site: Site, task: str, process: str, text: str) -> None:
    site.task("there", greet)
    before = sorted(site.folder.rglob("*"))

    message, code = run("tasks", "new", task, process)

    assert code == 2
    assert text in message
    assert sorted(site.folder.rglob("*")) == before


def test_new_writes_through_no_link(site: Site, tmp_path: Path) -> None:
    (site.folder / "mail.yao").symlink_to(tmp_path / "victim")
    boot.reset()

    _, code = run("tasks", "new", "mail", "a.b")

    assert code == 2
    assert not (tmp_path / "victim").exists()


# add


def test_add_runs_the_job_and_says_how_it_ended(site: Site) -> None:
    site.task("greet", greet)

    text, code = run("tasks", "add", "greet", "--args", '["Ada"]', "--kwargs", '{"loud": true}')

    assert code == 0
    job_id, end = text.splitlines()
    assert int(job_id) > 0
    assert end == "SUCCESS after run 1: Hello Ada!"


def test_add_of_a_job_that_fails_leaves_with_1_and_steers_no_terminal(site: Site) -> None:
    site.task("fail", fail)

    text, code = run("tasks", "add", "fail")

    assert code == 1
    assert "FAILURE after run 1: no \\x1b[31mway" in text


def test_add_answers_programs_in_json(site: Site) -> None:
    site.task("greet", greet)

    text, _ = run("tasks", "add", "greet", "--args", '["Ada"]', "--json")

    assert {**json.loads(text), "id": 0} == {
        "id": 0,
        "status": "SUCCESS",
        "attempt": 1,
        "response": "Hello Ada",
    }


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["gret"], 'Did you mean "greet"?'),
        (["greet", "--args", "["], "--args is no JSON"),
        (["greet", "--args", "{}"], "Give a JSON array"),
        (["greet", "--kwargs", "[]"], "Give a JSON object"),
        (["lost"], "no.such.module"),
    ],
)
def test_add_refuses_bad_usage_with_2(site: Site, args: list[str], text: str) -> None:
    site.task("greet", greet)
    site.task("lost", greet, process="no.such.module")

    message, code = run("tasks", "add", *args)

    assert code == 2
    assert text in message


# runtasks


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `manage.py` in a project of its own, whose app adds a job of `seconds` at its start."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "__init__.py").write_text("")
    (tmp_path / "worker" / "jobs.py").write_text(JOBS)
    (tmp_path / "worker" / "apps.py").write_text(APP)
    (tmp_path / "project_settings.py").write_text(SETTINGS)
    keys = {"worker_nums": 1, "attempts": 0, "attempt_after": 0, "timeout": 60, "size": 10}
    (tmp_path / "tasks" / "nap.json").write_text(
        json.dumps({"name": "Nap", "process": "worker.jobs.nap", **keys})
    )
    started: list[subprocess.Popen[str]] = []

    def start(*args: str, **environment: str) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        process = subprocess.Popen(
            [sys.executable, "-m", "django", *args],
            cwd=tmp_path,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "project_settings",
                "PYTHONPATH": path,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "yao_tasks", "worker.apps.Worker"]
YAO_TASKS = {"STATE_DIR": BASE_DIR / "state"}
"""
JOBS = """
import time
from yao_tasks import current_job

def nap(job_id, seconds):
    print("napping", flush=True)
    until = time.monotonic() + seconds
    while time.monotonic() < until and not (current_job().stopping and seconds < 50):
        time.sleep(0.01)
    print("woke up", flush=True)
"""
APP = """
import os
from django.apps import AppConfig

class Worker(AppConfig):
    name = "worker"

    def ready(self):
        from yao_tasks import tasks
        if os.environ.get("NAP"):
            tasks["nap"].add(float(os.environ["NAP"]))
"""


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Read a process's output until a line has the text."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} was never written: {seen}")


def leave(process: subprocess.Popen[str], seconds: float) -> tuple[str, float]:
    """What a process still writes, and how long it took to leave."""
    start = time.monotonic()
    text, _ = process.communicate(timeout=seconds)
    return text, time.monotonic() - start


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_runtasks_says_that_nobody_can_add_and_drains_at_a_signal(project: Any, number: int) -> None:
    process = project("runtasks")
    text = wait_for(process, "Nobody can add jobs to this process")

    process.send_signal(number)
    rest, _ = leave(process, 10)

    assert "1 tasks are loaded" in text
    assert "All jobs have ended." in rest
    assert process.returncode == 0


@pytest.mark.slow
def test_a_running_job_is_told_at_once_and_its_end_is_no_loss(project: Any) -> None:
    process = project("runtasks", NAP="40")
    wait_for(process, "napping")
    wait_for(process, "Nobody can add")

    process.send_signal(signal.SIGTERM)
    text, took = leave(process, 10)

    assert "woke up" in text
    # Nothing is drawn where nobody sees it.
    assert "\x1b" not in text
    assert process.returncode == 0
    assert took < 5


@pytest.mark.slow
def test_a_job_that_does_not_end_in_time_is_lost_named_and_the_exit_code_is_1(project: Any) -> None:
    process = project("runtasks", "--drain-timeout", "0.5", NAP="55")
    wait_for(process, "napping")
    wait_for(process, "Nobody can add")

    process.send_signal(signal.SIGTERM)
    text, took = leave(process, 10)

    assert process.returncode == 1
    assert "1 jobs were cut short" in text
    assert "nap: the pool was closed before 1 of its jobs could end" in text
    assert took < 5


@pytest.mark.slow
def test_the_second_signal_leaves_a_second_and_the_third_none(project: Any) -> None:
    process = project("runtasks", NAP="55")
    wait_for(process, "napping")
    wait_for(process, "Nobody can add")
    process.send_signal(signal.SIGTERM)
    wait_for(process, "Draining")

    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    text, took = leave(process, 10)

    assert process.returncode == 130
    assert "Traceback" not in text
    assert took < 1


@pytest.mark.slow
def test_the_second_signal_shortens_the_drain_to_a_second(project: Any) -> None:
    process = project("runtasks", NAP="55")
    wait_for(process, "napping")
    wait_for(process, "Nobody can add")
    process.send_signal(signal.SIGTERM)
    wait_for(process, "Draining")

    process.send_signal(signal.SIGINT)
    text, took = leave(process, 10)

    assert process.returncode == 1
    assert "Traceback" not in text
    assert took < 5


@pytest.mark.slow
def test_sigquit_leaves_at_once(project: Any) -> None:
    process = project("runtasks", NAP="55")
    wait_for(process, "Nobody can add")

    process.send_signal(signal.SIGQUIT)
    leave(process, 5)

    assert process.returncode == 130


@pytest.mark.slow
def test_a_reader_that_hangs_up_ends_no_job(project: Any) -> None:
    process = project("runtasks", NAP="0.3")
    wait_for(process, "Nobody can add")
    assert process.stdout is not None
    process.stdout.close()

    process.send_signal(signal.SIGTERM)
    process.wait(10)

    assert process.returncode == 0


@pytest.mark.slow
def test_runtasks_refuses_bad_definitions_and_a_planted_state_folder_with_2(
    project: Any, tmp_path: Path
) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "victim")
    planted, _ = leave(first := project("runtasks"), 20)
    (tmp_path / "tasks" / "bad.json").write_text('{"size": 0}')

    faulty, _ = leave(second := project("runtasks"), 20)

    assert (first.returncode, second.returncode) == (2, 2)
    assert "STATE_DIR" in planted
    assert list((tmp_path / "victim").iterdir()) == []
    assert '"size" is 0' in faulty
    assert '"worker_nums" is missing' in faulty
