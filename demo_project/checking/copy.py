"""A copy of the site for one check: its own process, port, database, outbox and state."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from django.conf import settings
from django.db import connections

from demo_project.accounts.models import WelcomeMail
from demo_project.checking.failed import CheckFailed
from demo_project.checking.verdict import Rows

# Seconds that the server may take to come up.
START = 60
LOG_LINES = 15


class Copy:
    """The site, served from `folder` while this is entered. Raises CheckFailed where it doesn't come up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        self.outbox = folder / "outbox"
        self.log = folder / "server.log"

    def __enter__(self) -> "Copy":
        if self._start("migrate").wait() != 0:
            raise CheckFailed(f"The database could not be made.\n{self._last_words()}")
        self.server = self._start("runserver", "--noreload", f"127.0.0.1:{self.port}")
        try:
            self._answers()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None
    ) -> None:
        self._stop()

    @contextmanager
    def rows(self) -> Iterator[Rows]:
        """The welcome mails in the copy's database; a look at them is a fresh one each time."""
        connections.databases["copy"] = {
            **connections.databases["default"],
            "NAME": self.folder / "db.sqlite3",
        }
        try:
            yield lambda: list(WelcomeMail.objects.using("copy").select_related("user").order_by("pk"))
        finally:
            connections["copy"].close()
            del connections["copy"], connections.databases["copy"]

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        manage = settings.BASE_DIR.parent / "manage.py"
        with self.log.open("ab") as log:
            # The command is this project's own, and no shell reads it.
            return subprocess.Popen(  # noqa: S603
                [sys.executable, str(manage), *command], env=self._environment(), stdout=log, stderr=log
            )

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "demo_project.settings",
            "DEMO_DATA": str(self.folder),
            "DEMO_PAUSE": "0",
            "DEBUG": "on",
            "ALLOWED_HOSTS": "127.0.0.1",
            # Whatever else is configured: no mail of a check goes to a real server.
            "EMAIL_URL": "",
        }

    def _answers(self) -> None:
        deadline = time.monotonic() + START
        while not listens(self.port):
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise CheckFailed(f"The server did not come up.\n{self._last_words()}")
            time.sleep(0.1)

    def _stop(self) -> None:
        self.server.terminate()
        try:
            self.server.wait(10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
