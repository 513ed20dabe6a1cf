"""The project that a reader of README.md makes."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
import pytest

from demo_project.checking.copy import free_port, listens
from tests.conftest import until
from tests.docs.markdown import ROOT, blocks, read, section

PASSWORD = "correct horse battery"
# Who installs, and who serves, is the test itself.
NOT_RUN = ("python -m pip", "python manage.py runserver", "cd ")


class Project:
    """A new project in a folder of its own, in which the README is followed."""

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
                self.write(block.file, block.text)
            for command in block.commands:
                if not command.startswith(NOT_RUN):
                    self.run(command)
            if "cd mysite" in block.commands:
                self.home = self.folder / "mysite"

    def run(self, command: str) -> str:
        """Run a command line of the README; answers what it wrote."""
        if command.startswith("python manage.py createsuperuser"):
            command += " --noinput"  # it asks a person
        program, *words = shlex.split(command)
        # The lines that make the app follow `cd mysite` in their block.
        home = self.folder / "mysite" if program == "python" else self.home
        words = [sys.executable, *(words if program == "python" else ["-m", "django", *words])]
        done = subprocess.run(words, cwd=home, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, name: str, text: str) -> None:
        """Write a file that a block shows; the settings are added to, as the README says."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "mysite/settings.py":
            text = f"{path.read_text()}\n{text}{_mail_to_the_terminal()}"
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


def _mail_to_the_terminal() -> str:
    """What the README says of Django before 6.1."""
    (line,) = re.findall(r"`(EMAIL_BACKEND = .+?)`", read(ROOT / "README.md"))
    return "" if django.VERSION >= (6, 1) else f"{line}\n"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as it is after the last step."""
    project = Project(tmp_path_factory.mktemp("readme"))
    project.follow(section(read(ROOT / "README.md"), "A first task in five minutes"))
    return project
