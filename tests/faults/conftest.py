"""A site of its own on disk, for the rows in which whole processes end or are counted."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "tests only"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.staticfiles"]
STATIC_URL, STATIC_ROOT = "static/", BASE_DIR / "static"
MIDDLEWARE, TEMPLATES = [], []
ROOT_URLCONF = "urls"
YAO_TASKS = {"STATE_DIR": BASE_DIR / "state"}
import os
if "WITHOUT_TASKS" not in os.environ:
    INSTALLED_APPS.append("yao_tasks")
"""

MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""

# Each line is one write to a file opened for appending: what was written survives whatever comes.
JOBS = """
import os
from pathlib import Path
from threading import Event

LEDGER = Path(__file__).parent / "ledger"

def note(*words):
    descriptor = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (" ".join(map(str, words)) + "\\n").encode())
    os.close(descriptor)

def work(job_id):
    note("ran", job_id)

def hang(job_id):
    note("ran", job_id)
    Event().wait()

def choose(job_id, what):
    globals()[what](job_id)

def succeeded(job_id, result):
    note("success", job_id)

def failed(job_id, error):
    note("error", job_id, type(error).__name__)
"""


class Project:
    """A Django project in a folder, and its commands as real processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []
        (folder / "tasks").mkdir()
        for name, text in {
            "settings": SETTINGS,
            "manage": MANAGE,
            "jobs": JOBS,
            "urls": "urlpatterns = []",
        }.items():
            (folder / f"{name}.py").write_text(text)

    def task(self, task: str, process: str, **keys: Any) -> None:
        """Write a definition."""
        given = {
            "name": "A test",
            "worker_nums": 2,
            "attempts": 0,
            "attempt_after": 10,
            "timeout": 10,
            "size": 10_000,
        }
        (self.folder / "tasks" / f"{task}.json").write_text(json.dumps({**given, "process": process, **keys}))

    def start(self, *args: str, python: str = sys.executable, **environment: str) -> "subprocess.Popen[str]":
        """Start `manage.py` with these arguments."""
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "PYTHON"))
        }
        process = subprocess.Popen(
            [python, "manage.py", *args],
            cwd=self.folder,
            env={**inherited, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End what a failed test left running."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def ledger(self) -> list[list[str]]:
        """What the jobs and their events wrote, word by word."""
        path = self.folder / "ledger"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    project = Project(tmp_path)
    yield project
    project.end()


def other_pythons() -> list[str]:
    """Interpreters beside this one that have Django: those on the path, and those that TEST_PYTHONS names."""
    named = os.environ.get("TEST_PYTHONS", "").split(os.pathsep)
    found = [shutil.which(f"python3.{minor}") for minor in range(11, 16)]
    return sorted(
        {python for python in [*named, *found] if python and _has_django(python)} - {sys.executable}
    )


def _has_django(python: str) -> bool:
    command = [python, "-c", "import django, environ"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
