"""The demo's sign-up in this process: its own URLs, its own definitions, a mail server of the test's own."""

import asyncio
import re
import shutil
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.http import HttpResponse
from django.test import Client
from django.utils import translation

import demo_project
from demo_project.accounts.models import WelcomeMail
from demo_project.checking.copy import free_port
from demo_project.mail import mail_settings
from tests.conftest import SECONDS
from yao_tasks import boot

DEFINITIONS = Path(demo_project.__file__).parent / "tasks"
PASSWORD = "a long way to Tipperary"


class _Controller(Controller):
    """Leaves no connection open when it stops, whoever is still at the other end."""

    def __init__(self, handler: object, **options: Any) -> None:
        self.servers: list[Any] = []
        super().__init__(handler, **options)

    def factory(self) -> Any:
        self.servers.append(super().factory())
        return self.servers[-1]

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(SECONDS)
        super().stop(no_assert=no_assert)

    async def _hang_up(self) -> None:
        for server in self.servers:
            if server.transport is not None:
                server.transport.abort()
        # What `abort` has called soon.
        await asyncio.sleep(0.01)


class MailServer:
    """A real SMTP server in a thread. While it is held, it takes no mail: who sends one waits."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.open = threading.Event()
        self.open.set()
        self.port = free_port()
        self.controller: Controller | None = None

    @property
    def url(self) -> str:
        """Where it listens, as the demo's settings want it."""
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen."""
        self.controller = _Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        """Be down, as far as it is not."""
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Called by aiosmtpd with a whole mail."""
        await asyncio.to_thread(self.open.wait, SECONDS)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


class Demo:
    """The demo as a test sees it."""

    def __init__(self, folder: Path, settings: Any) -> None:
        self.folder = folder
        self.settings = settings
        shutil.copytree(DEFINITIONS, folder)

    def define(self, task: str, **values: int) -> None:
        """Change values of a definition; it is read anew."""
        path = self.folder / f"{task}.yao"
        text = path.read_text()
        for key, value in values.items():
            text, count = re.subn(rf'"{key}": \d+', f'"{key}": {value}', text)
            assert count == 1, f"{path} has no {key}"
        path.write_text(text)
        boot.reset()

    def send_mail_to(self, url: str) -> None:
        """Have mail sent to that URL."""
        for name, value in mail_settings(url, self.folder).items():
            setattr(self.settings, name, value)


@pytest.fixture
def demo(transactional_db: None, tmp_path: Path, settings: Any) -> Iterator[Demo]:
    """The demo with its own definitions, whose retries come at once."""
    # Of a request of another test, it would be that of this one's jobs, too.
    translation.deactivate()
    demo = Demo(tmp_path / "tasks", settings)
    settings.ROOT_URLCONF = "demo_project.urls"
    settings.LOGIN_URL = "login"
    settings.YAO_TASKS = {
        "DIRS": [demo.folder],
        "STATE_DIR": tmp_path / "state",
        "CARRY_CONTEXT": ["language"],
    }
    demo.define("welcome_email", attempt_after=1)
    yield demo
    boot.reset()


@pytest.fixture
def mail_server(demo: Demo) -> Iterator[MailServer]:
    """A mail server that gets the demo's mail."""
    server = MailServer()
    server.start()
    demo.send_mail_to(server.url)
    yield server
    server.open.set()
    # No job may be left talking to it.
    boot.house().close(SECONDS)
    server.stop()


def post_sign_up(client: Client, name: str = "ada", **changes: str) -> HttpResponse:
    """Send the form as a visitor does."""
    form = {"username": name, "email": f"{name}@example.org", "password1": PASSWORD, "password2": PASSWORD}
    return client.post("/", {**form, **changes})


def sign_up(client: Client, name: str = "ada") -> WelcomeMail:
    """Sign up; answers the row of the new user's mail."""
    answer = post_sign_up(client, name)
    assert answer.status_code == 302, answer.content.decode()
    mail = WelcomeMail.objects.get(user__username=name)
    assert answer.url == f"/welcome/{mail.pk}/"
    return mail


def status(client: Client, mail: WelcomeMail) -> dict[str, Any]:
    """The mail's six fields, as its user gets them."""
    answer = client.get(f"/welcome/{mail.pk}/status/")
    assert answer.status_code == 200
    return answer.json()


def page(client: Client, mail: WelcomeMail) -> str:
    """The mail's page, as its user sees it."""
    answer = client.get(f"/welcome/{mail.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()
