"""The fixtures, in a project of somebody else's: pytest finds them by the package's entry point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT
from tests.testing.plugin import installed_plugin

# Each starts pytest in a process of its own.
pytestmark = pytest.mark.slow

SETTINGS = """
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "yao_tasks"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3", "TEST": {"NAME": "t.sqlite3"}}}
USE_TZ = True
SECRET_KEY = "tests only"
"""
DEFINITION = """{"name": "A test", "process": "jobs.double", "worker_nums": 2, "attempts": 0, "attempt_after": 0,
"timeout": 10, "size": 10}"""
JOBS = """
import time

signed_up = []


def double(job_id, number):
    return 2 * number


def sign_up(job_id, name):
    from django.contrib.auth.models import User

    time.sleep(0.05)
    User.objects.create(username=name)
    signed_up.append(name)
"""
TESTS = """
import threading

import jobs
import pytest
from yao_tasks import tasks


def test_inline(inline_tasks):
    pool = tasks["double"]

    assert pool.get(pool.add(2)).response == 4
    with pytest.raises(TypeError, match="jobs.double"):
        pool.add()


def test_captured(captured_tasks):
    tasks["double"].add(2)

    assert captured_tasks.assert_added("double", 2)
    assert [info.response for info in captured_tasks.run_pending()] == [4]


@pytest.mark.parametrize("first", [True, False])
def test_captured_by_a_decorator(first, tmp_path):
    from yao_tasks.testing import captured_tasks

    @captured_tasks()
    def inside(jobs):
        tasks["double"].add(2)
        return len(jobs)

    assert inside() == 1


def test_drained(drained_tasks, transactional_db):
    from django.contrib.auth.models import User

    User.objects.create(username="ada")
    pool = tasks["double"]

    assert pool.wait(pool.add(2), 5).response == 4


def test_drained_writes(drained_tasks, transactional_db):
    tasks["sign_up"].add("bob")


def test_drained_wrote_before_the_database_was_emptied(transactional_db):
    from django.contrib.auth.models import User

    assert (jobs.signed_up, User.objects.count()) == (["bob"], 0)


@pytest.mark.django_db
def test_drained_in_a_transaction_is_refused(request):
    with pytest.raises(RuntimeError, match="transactional_db"):
        request.getfixturevalue("drained_tasks")


def test_nothing_is_left():
    assert [one.name for one in threading.enumerate() if one.name.startswith("yao_tasks")] == []
"""
PLAIN = """
import sys


def test_that_needs_no_django():
    assert not any(name.split(".")[0] in ("django", "environ", "asgiref") for name in sys.modules)
"""
WITHOUT_SETTINGS = """
from yao_tasks import tasks


def test_it(inline_tasks):
    tasks["double"].add(2)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder beside which the package's entry points are installed."""
    installed_plugin(tmp_path)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return folder


def run_pytest(project: Path, *options: str, settings: str | None = None) -> str:
    """Run pytest there, as another project's developers do; answers what it said."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO"))
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(project.parent / "site"), str(ROOT), str(project)])
    environment["TMPDIR"] = str(project.parent)
    if settings:
        environment["DJANGO_SETTINGS_MODULE"] = settings
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_a_django_project_has_the_three_fixtures(project: Path) -> None:
    (project / "tasks").mkdir()
    for task in ("double", "sign_up"):
        (project / "tasks" / f"{task}.yao").write_text(DEFINITION.replace("double", task))
    (project / "jobs.py").write_text(JOBS)
    (project / "site_settings.py").write_text(
        SETTINGS + f"YAO_TASKS = {{'DIRS': [{str(project / 'tasks')!r}]}}\n"
    )
    (project / "test_them.py").write_text(TESTS)

    assert "9 passed" in run_pytest(project, settings="site_settings")


def test_a_project_without_django_is_left_alone(project: Path) -> None:
    (project / "test_plain.py").write_text(PLAIN)

    assert "1 passed" in run_pytest(project, "-p", "no:django", "-p", "no:hypothesispytest")


def test_a_fixture_without_settings_says_what_is_missing(project: Path) -> None:
    (project / "test_it.py").write_text(WITHOUT_SETTINGS)

    said = run_pytest(project)

    assert "1 failed" in said
    assert "settings are not configured" in said


def test_the_fixtures_are_listed_with_their_words(project: Path) -> None:
    said = run_pytest(project, "--fixtures")

    for name in ("inline_tasks", "captured_tasks", "drained_tasks"):
        assert f"\n{name} -- " in said
