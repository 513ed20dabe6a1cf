"""The dashboard under gunicorn with four processes: of recorded jobs every request tells one story."""

import re
import sys
from html import unescape
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from tests.conftest import until
from tests.servers.conftest import Server, Site, needs

pytestmark = pytest.mark.slow

SETTINGS = """
INSTALLED_APPS += ["django.contrib.admin", "django.contrib.sessions", "django.contrib.messages"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES["default"]["OPTIONS"] = {
    "transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;",
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""

URLS = """
from django.contrib import admin

def add_to(request, task, what):
    return JsonResponse({"id": tasks[task].add(what), "pid": os.getpid()})

urlpatterns += [path("admin/", admin.site.urls), path("add/<task>/<what>/", add_to)]
"""

PREPARE = """
from django.contrib.auth.models import User
User.objects.create_superuser("operator", password="operator")
"""

JOBS = """
def held(job_id):
    from yao_tasks import current_job
    current_job().progress(3, 10, "as far as this")
    Event().wait(60)

def picked(job_id, what):
    return globals()[what](job_id)
"""

URL = "admin/yao_tasks/dashboard/"
REQUESTS = 200


class Browser:
    """Somebody who is logged in; each request is a connection of its own, and may land anywhere."""

    def __init__(self, server: Server) -> None:
        self.base = f"http://127.0.0.1:{server.port}/"
        self.cookies = CookieJar()
        self.opener = build_opener(HTTPCookieProcessor(self.cookies))
        self.post("admin/login/", username="operator", password="operator")

    def get(self, path: str) -> str:
        """A page, whatever its status."""
        return self._text(Request(self.base + path))

    def post(self, path: str, **data: str) -> str:
        """What a form leads to."""
        if "csrftoken" not in {cookie.name for cookie in self.cookies}:
            self.get("admin/login/")
        token = next(str(cookie.value) for cookie in self.cookies if cookie.name == "csrftoken")
        body = urlencode({"csrfmiddlewaretoken": token, **data}).encode()
        return self._text(Request(self.base + path, body, headers={"Referer": self.base}))

    def _text(self, request: Request) -> str:
        try:
            with self.opener.open(request, timeout=20) as answer:
                found = answer.read()
        except HTTPError as error:
            found = error.read()
        return " ".join(re.sub(r"<[^>]+>", " ", unescape(found.decode())).split())


@pytest.fixture
def server(site: Site) -> Server:
    """Four processes, each of which has jobs."""
    needs("gunicorn")
    folder = site.project.folder
    for name, text in (("settings", SETTINGS), ("urls", URLS), ("jobs", JOBS)):
        path = folder / f"{name}.py"
        path.write_text(path.read_text() + text)
    for task, record in (("kept", True), ("memory", False)):
        site.project.task(task, "jobs.picked", worker_nums=200, timeout=60, record=record)
    for command in (["migrate", "-v0"], ["shell", "-c", PREPARE]):
        process = site.project.start(*command, DRAIN="1")
        said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    command = [sys.executable, "-m", "gunicorn", "wsgi", "--bind", "127.0.0.1:PORT", "--workers", "4"]
    return site.serve(*command, "--no-control-socket")


def held_in_each(server: Server, task: str) -> dict[int, int]:
    """Jobs that run, one in each process: the id by the pid."""
    held: dict[int, int] = {}
    for _ in range(REQUESTS):
        added = server.get(f"add/{task}/held/", "POST")
        held.setdefault(added["pid"], added["id"])
        if len(held) == 4:
            return held
    raise AssertionError(f"only these processes answered: {list(held)}")


def pid_of(overview: str) -> int:
    return int(re.search(r"Process (\d+), \d of 4 ", overview)[1])  # type: ignore[index]


def test_each_process_tells_the_same_of_recorded_jobs(server: Server) -> None:
    held = held_in_each(server, "kept")
    browser = Browser(server)
    until(lambda: "30 %" in browser.get(URL) or "3 of 10" in browser.get(URL), "progress to be written")
    stories: dict[str, set[Any]] = {"overview": set(), "list": set(), "job": set()}
    pids = set()

    (job_id, *_) = held.values()
    ids = sorted(held.values())

    def listed() -> tuple[int, ...]:
        # Each by itself: there may be many others before it.
        return tuple(one for one in ids if f" {one} " in browser.get(f"{URL}jobs/?status=running&q={one}"))

    until(lambda: listed() == tuple(ids), "all to be written")
    for _ in range(REQUESTS):
        overview = browser.get(URL)
        pids.add(pid_of(overview))
        numbers = re.search(r"Live jobs (\d+ running, \d+ waiting)", overview)
        stories["overview"].add(numbers and numbers[1])
        stories["list"].add(listed())
        page = browser.get(f"{URL}kept/{job_id}/")
        stories["job"].add(("Running" in page, "3 of 10" in page, "as far as this" in page))
        if len(pids) == 4:
            break

    assert pids == set(held)
    assert {name: len(found) for name, found in stories.items()} == {"overview": 1, "list": 1, "job": 1}
    assert stories["list"] == {tuple(ids)}
    assert stories["job"] == {(True, True, True)}


def test_a_job_of_another_process_is_not_steered_but_named(server: Server) -> None:
    browser = Browser(server)
    owner, job_id = next(iter(held_in_each(server, "memory").items()))

    # Whichever other process answers names the one that has the job.
    until(lambda: f"process {owner}" in browser.get(f"{URL}memory/{job_id}/"), "another process to answer")
    # A cancel may reach the owner, which obeys: each try is for another of its jobs.
    refused = []
    for one in (held_in_each(server, "kept")[owner] for _ in range(10)):
        page = f"{URL}kept/{one}/"
        until(lambda page=page: "Running" in browser.get(page), "the row to be written")  # type: ignore[misc]
        text = browser.post(f"{page}cancel/", next="/admin/yao_tasks/dashboard/")
        if "which alone can steer it" in text:
            refused.append(f":{owner}" in text)
            break
    assert refused == [True]
