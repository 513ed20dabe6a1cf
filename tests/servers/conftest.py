"""A small site on disk, and the real servers that answer for it on free ports.

`needs` skips what isn't installed (the extra `servers`); in CI that is a failure.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.conftest import until
from tests.faults.conftest import ROOT, Project

# A slow machine may take twice as long as is promised.
SLOW = 2
# What a job may take from its add over HTTP to its success (s).
SOON = 2 * SLOW
# The time that a test's site gives its jobs at the end (s); a short job takes less.
DRAIN = 1.5
LEAVES = (DRAIN + 1) * SLOW

SETTINGS = """
import os
ALLOWED_HOSTS = ["127.0.0.1"]
YAO_TASKS["DRAIN_TIMEOUT"] = float(os.environ["DRAIN"])
"""

URLS = """
import os, time
from django.http import JsonResponse
from django.urls import path
from yao_tasks import tasks

def add(request, what):
    try:
        return JsonResponse({"id": tasks["job"].add(what), "pid": os.getpid()})
    except Exception as error:
        return JsonResponse({"error": f"{type(error).__name__}: {error}"}, status=409)

def show(request, job_id):
    return JsonResponse(tasks["job"].get(job_id).as_dict(), json_dumps_params={"default": str})

def sleep(request, seconds):
    time.sleep(seconds)
    return JsonResponse({"pid": os.getpid()})

urlpatterns = [
    path("add/<what>/", add),
    path("show/<int:job_id>/", show),
    path("sleep/<int:seconds>/", sleep),
]
"""

JOBS = """
import time

def quick(job_id):
    return os.getpid()

def short(job_id):
    note("began", job_id)
    time.sleep(0.7)

def long(job_id):
    note("began", job_id)
    Event().wait()

def pick(job_id, what):
    return globals()[what](job_id)
"""

WSGI = """
import os
from django.core.wsgi import get_wsgi_application
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
application = get_wsgi_application()
"""

ASGI = """
import os
from django.core.asgi import get_asgi_application
from yao_tasks.asgi import with_lifespan
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
bare = get_asgi_application()
application = with_lifespan(bare)
"""


def needs(server: str) -> None:
    """Skip the test where the server isn't installed; in CI it has to be."""
    if find_spec(server) is None and not binary(server).exists():
        reason = f"{server} isn't installed: pip install -e '.[servers]'"
        pytest.fail(reason) if "CI" in os.environ else pytest.skip(reason)


def binary(server: str) -> Path:
    """Where a server's command stands, beside this interpreter."""
    return Path(sys.executable).with_name(server)


class Server:
    """A server as a session of its own, whose output goes to a file."""

    def __init__(self, project: Project, *command: str, **environment: str) -> None:
        self.project = project
        self.worker = 0
        self.log_file = project.folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "PYTHON"))
        }
        paths = os.pathsep.join([str(project.folder), str(ROOT)])
        ours = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "DRAIN": str(DRAIN)}
        # A process that was started with SIGINT ignored hands that on.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with self.log_file.open("wb") as log:
                self.process = subprocess.Popen(
                    [part.replace("PORT", str(self.port)) for part in command],
                    cwd=project.folder,
                    env={**inherited, **ours, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        finally:
            signal.signal(signal.SIGINT, before)
        until(self.listens, "the server to listen")

    def log(self) -> str:
        """What the server and its site have written so far."""
        return self.log_file.read_text(errors="replace")

    def get(self, path: str, method: str = "GET") -> dict[str, Any]:
        """What a view answers, a refusal too."""
        request = Request(f"http://127.0.0.1:{self.port}/{path}", method=method)
        try:
            with urlopen(request, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
        except HTTPError as refusal:
            if refusal.code != 409:
                raise
            found = json.load(refusal)
        return found

    def add(self, what: str) -> dict[str, Any]:
        """Have a view add a job; its id, and the pid of the web worker."""
        return self.get(f"add/{what}/", "POST")

    def works(self) -> int:
        """A job that a view adds runs soon, in the process of the view. Answers its pid."""
        added = self.add("quick")
        began = time.monotonic()
        info = until(
            lambda: (info := self.get(f"show/{added['id']}/"))["status"] == "SUCCESS" and info, "a success"
        )
        assert time.monotonic() - began < SOON
        assert info["response"] == added["pid"]
        return int(added["pid"])

    def busy(self) -> tuple[int, int]:
        """Have a short job and an endless one run, in `worker`. Answers their ids."""
        short, long = (self.add(what) for what in ("short", "long"))
        self.worker = short["pid"]
        assert long["pid"] == self.worker
        until(lambda: sum(line[0] == "began" for line in self.project.ledger()) == 2, "two jobs to run")
        return short["id"], long["id"]

    def changes_workers(self) -> None:
        """Wait until the worker that was busy has left."""
        until(self.has_changed_workers, f"process {self.worker} to leave")

    def has_changed_workers(self) -> bool:
        """Whether the worker that was busy has left."""
        return _session(Path(f"/proc/{self.worker}")) is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        self.process.send_signal(number)

    def leaves(self) -> float:
        """Wait until every process of the server has ended. Answers the seconds that took."""
        began = time.monotonic()
        self.process.wait(10)
        until(lambda: not self.pids(), f"all processes to end: {self.pids()}")
        return time.monotonic() - began

    def pids(self) -> list[int]:
        """The processes of the server that live."""
        return [int(one.name) for one in Path("/proc").glob("[0-9]*") if _session(one) == self.process.pid]

    def end(self) -> None:
        """End what a failed test left running."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)

    def listens(self) -> bool:
        """Whether somebody takes connections."""
        assert self.process.poll() is None, self.log()
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0


def ends_in_order(server: Server, short: int, long: int) -> None:
    """The short job has ended as if nothing were, and the log names the other as lost."""
    ends = [line for line in server.project.ledger() if line[0] in ("success", "error")]
    assert ["success", str(short)] in ends
    assert ["error", str(long), "JobLost"] in ends
    assert f"they are lost: {long}" in server.log()


def _session(process: Path) -> int | None:
    try:
        # The name, in parentheses, may hold spaces. State, parent, group, session follow.
        state, _, _, session, *_ = (process / "stat").read_text().rpartition(")")[2].split()
        threads = len(list((process / "task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A zombie with threads still ends: until they are gone its sockets are open.
    return None if state == "Z" and threads < 2 else int(session)


class Site:
    """The project, and the servers that were started for it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.servers: list[Server] = []

    def serve(self, *command: str, **environment: str) -> Server:
        """Start a server; PORT in its command stands for a free port."""
        self.servers.append(Server(self.project, *command, **environment))
        return self.servers[-1]

    def change_definition(self) -> None:
        """Make the definition file look changed."""
        (self.project.folder / "tasks" / "job.json").touch()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with one task, whose events write down each end."""
    project = Project(tmp_path)
    for name, text in {"settings": SETTINGS, "jobs": JOBS, "urls": URLS, "wsgi": WSGI, "asgi": ASGI}.items():
        path = tmp_path / f"{name}.py"
        path.write_text((path.read_text() if name in ("settings", "jobs") else "") + text)
    events = {"success": "jobs.succeeded", "error": "jobs.failed"}
    project.task("job", "jobs.pick", worker_nums=4, timeout=60, event=events)
    site = Site(project)
    yield site
    for server in site.servers:
        server.end()
