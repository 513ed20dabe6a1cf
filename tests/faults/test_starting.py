"""What the app costs a command that has nothing to do with it."""

import json
import statistics
import sys
from typing import Any

import pytest

from tests.faults.conftest import Project

COMMANDS = [
    ["check"],
    ["collectstatic", "--noinput"],
    ["diffsettings"],
    ["dumpdata", "auth"],
    ["flush", "--noinput"],
    ["inspectdb"],
    ["makemigrations", "--check", "--dry-run"],
    ["migrate"],
    ["shell", "-c", "pass"],
    ["showmigrations"],
    ["sqlmigrate", "auth", "0001"],
    ["help"],
]

# Looks around when all apps are ready, and tells what is there; then the command runs.
LOOK = """
import json, os, sys, threading, time
from pathlib import Path
import django
from django.apps import apps
from django.core.management import execute_from_command_line
from django.db.backends.signals import connection_created

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
connected = []
connection_created.connect(lambda connection, **_: connected.append(connection.alias))

def sockets():
    files = [file for file in Path("/proc/self/fd").iterdir() if file.exists()]
    names = [os.readlink(file) for file in files if file.is_symlink()]
    return [name for name in names if name.startswith("socket:")]

before = sockets()
began = time.process_time()
django.setup()
seconds = time.process_time() - began
found = {
    "seconds": seconds,
    "threads": [thread.name for thread in threading.enumerate()],
    "sockets": sorted(set(sockets()) - set(before)),
    "connected": list(connected),
    "handlers": "jobs" in sys.modules,
    "state": Path("state").exists(),
}
try:
    if len(sys.argv) > 1:
        execute_from_command_line(sys.argv)
finally:
    ours = [thread.name for thread in threading.enumerate() if thread.name.startswith("yao_tasks")]
    Path("found.json").write_text(json.dumps({**found, "ours": ours}))
"""


@pytest.fixture
def site(project: Project) -> Project:
    """A project with a task, whose `manage.py` looks around."""
    project.task("job", "jobs.work", event={"add": "jobs.note"})
    (project.folder / "manage.py").write_text(LOOK)
    return project


def run(site: Project, *args: str, **environment: str) -> dict[str, Any]:
    """Run a command to its end, and answer what was found in it."""
    process = site.start(*args, **environment)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    found: dict[str, Any] = json.loads((site.folder / "found.json").read_text())
    return found


def is_clean(found: dict[str, Any]) -> bool:
    """No thread, socket, query, handler or file in `ready()`; and no thread of ours later."""
    rest = {key: value for key, value in found.items() if key != "seconds"}
    return rest == {
        "threads": ["MainThread"],
        "sockets": [],
        "connected": [],
        "handlers": False,
        "state": False,
        "ours": [],
    }


def test_starting_django_starts_nothing(site: Project) -> None:
    """F30: the part that is the same for every command."""
    assert is_clean(run(site))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_finds_a_thread_a_socket_or_a_query(site: Project, command: list[str]) -> None:
    """F30."""
    if command[0] not in ("migrate", "help", "check"):
        run(site, "migrate", WITHOUT_TASKS="1")

    assert is_clean(run(site, *command))


@pytest.mark.slow
def test_starting_takes_less_than_twenty_milliseconds_more(site: Project) -> None:
    """F30."""
    with_tasks, without = [], []
    for _ in range(9):
        with_tasks.append(run(site)["seconds"])
        without.append(run(site, WITHOUT_TASKS="1")["seconds"])

    extra = statistics.median(with_tasks) - statistics.median(without)

    print(f"{1000 * extra:.1f} ms more, Python {sys.version_info[:2]}")
    # Twice that, for a slow machine; time of the processor, since others may be at work.
    assert extra < 0.04
