"""README.md, followed to the letter in a new project: its commands, its files, and what it says one will see."""

import http.cookiejar
import os
import re
import shlex
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
import pytest

from demo_project.checking.copy import free_port, listens
from tests.conftest import until
from tests.docs.markdown import ROOT, blocks, read, section

# Who installs, and who serves, is the test itself.
NOT_RUN = ("python -m pip", "python manage.py runserver", "cd ")
PASSWORD = "correct horse battery"


class Project:
    """The project that a reader makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder
        self.log = folder / "server.log"
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")},
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(folder),
            "DJANGO_SUPERUSER_USERNAME": "admin",
            "DJANGO_SUPERUSER_EMAIL": "admin@example.org",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }

    def follow(self, text: str) -> None:
        """Do what each block says, in order."""
        for block in blocks(text):
            if block.file is not None:
                self._write(block.file, block.text)
            for command in block.commands:
                if not command.startswith(NOT_RUN):
                    self.run(command)
            if "cd mysite" in block.commands:
                self.home = self.folder / "mysite"

    def run(self, command: str) -> str:
        """Run a command line of the README; answers what it wrote."""
        if command.startswith("python manage.py createsuperuser"):
            command += " --noinput"  # it asks a person
        words = shlex.split(command)
        home = self.folder / "mysite" if words[0] == "python" else self.home
        words = [sys.executable, *(words[1:] if words[0] == "python" else ["-m", "django", *words[1:]])]
        done = subprocess.run(words, cwd=home, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _write(self, name: str, text: str) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "mysite/settings.py":
            # As the README says before this block and after it.
            text = f"\n{text}" + ("" if django.VERSION >= (6, 1) else _mail_to_the_terminal())
            text = path.read_text() + text
        path.write_text(text)

    @contextmanager
    def served(self) -> Iterator[None]:
        """The project, served by Django's own server meanwhile."""
        command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"]
        with self.log.open("w") as log:
            server = subprocess.Popen(command, cwd=self.home, env=self.environment, stdout=log, stderr=log)
        try:
            until(lambda: listens(self.port), "the server")
            yield
        finally:
            server.kill()
            server.wait()


class Browser:
    """A visitor with cookies, who fills in forms."""

    def __init__(self, address: str) -> None:
        self.address = address
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)

    def get(self, path: str) -> str:
        """The page."""
        return str(self.opener.open(self.address + path, timeout=10).read().decode())

    def fill(self, path: str, **fields: str) -> str:
        """Send the page's form; answers the page after it."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert token
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        return str(self.opener.open(self.address + path, data, timeout=10).read().decode())


def _mail_to_the_terminal() -> str:
    (line,) = re.findall(r"`(EMAIL_BACKEND = .+?)`", read(ROOT / "README.md"))
    return f"{line}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as it is after the last step."""
    project = Project(tmp_path_factory.mktemp("readme"))
    project.follow(section(read(ROOT / "README.md"), "A first task in five minutes"))
    return project


def test_whoever_follows_the_readme_gets_a_mail_and_sees_its_job_in_the_admin(project: Project) -> None:
    visitor, admin = Browser(f"http://127.0.0.1:{project.port}"), Browser(f"http://127.0.0.1:{project.port}")
    with project.served():
        welcome = visitor.fill(
            "/", username="ada", email="ada@example.org", password1=PASSWORD, password2=PASSWORD
        )

        until(lambda: "Hello ada, it is good to have you here." in project.log.read_text(), "the mail")
        assert re.fullmatch(r"Welcome! Job \d+ sends you a mail\.", welcome)
        admin.fill("/admin/login/?next=/admin/", username="admin", password=PASSWORD)
        assert "/admin/yao_tasks/dashboard/" in admin.get("/admin/")
        until(lambda: 'data-label="Succeeded">1<' in admin.get("/admin/yao_tasks/dashboard/"), "a success")
        assert "Welcome mail" in admin.get("/admin/yao_tasks/dashboard/")


def test_the_readmes_project_has_no_faults(project: Project) -> None:
    assert project.run("python manage.py tasks check") == "1 definitions, no faults.\n"
