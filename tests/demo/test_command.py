"""`manage.py demo`, started as a person starts it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, build_opener

import pytest
from django.core.management import execute_from_command_line

from demo_project.checking.copy import free_port, listens
from tests.conftest import until

ROOT = Path(__file__).parents[2]
# A machine on which no mail can be written, though everything else works.
NO_MAIL = """
from django.core.mail.backends import filebased

def refuse(self, messages):
    {act}

filebased.EmailBackend.send_messages = refuse
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "0"], '"0" is no port'),
        (["--port", "eighty"], '"eighty" is no port'),
        (["--wait", "-1"], '"-1" is no time to wait'),
        (["--check", "--port", "8001"], "not allowed with"),
        (["--chek"], "unrecognized arguments"),
    ],
)
def test_bad_usage_exits_with_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        execute_from_command_line(["manage.py", "demo", *arguments])

    assert left.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_the_check_finds_twenty_mails_and_exits_with_0(tmp_path: Path) -> None:
    done = _check(tmp_path)

    assert done.returncode == 0, done.stderr
    assert re.search(r"^job +user +status +attempts +seconds$", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^\d+ +visitor\d\d +SUCCESS +1 +\d+\.\d\d$", done.stdout, re.MULTILINE)) == 20
    assert "All 20 mails have arrived." in done.stdout
    # The check leaves the site's own data alone.
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").iterdir())


@pytest.mark.slow
def test_the_check_exits_with_1_and_the_reason_when_mails_fail(tmp_path: Path) -> None:
    done = _check(tmp_path, "--wait", "30", broken='raise OSError("no space left for mails")')

    assert done.returncode == 1
    assert re.search(r"The mail to visitor\d\d@example.org was not sent: OSError: no space left", done.stderr)
    assert "FAILURE" in done.stdout


@pytest.mark.slow
def test_the_check_exits_with_1_and_names_the_mails_that_got_lost(tmp_path: Path) -> None:
    done = _check(tmp_path, "--wait", "1", broken="return len(messages)")

    assert done.returncode == 1
    assert "After 1 s 20 of 20 mails are missing: visitor01@example.org, " in done.stderr


@pytest.mark.slow
def test_the_demo_serves_with_an_admin_and_jobs_under_way(tmp_path: Path) -> None:
    port = free_port()
    with _served(tmp_path, port) as printed:
        password = re.search(r"user: admin +password: (\S+)", printed)[1]
        browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
        admin = _log_in(browser, f"http://127.0.0.1:{port}/admin/", password)
        first = browser.open(f"http://127.0.0.1:{port}/").read().decode()

    assert "Site administration" in admin
    assert "Sign up" in first
    assert (tmp_path / "db.sqlite3").exists()


def _check(folder: Path, *arguments: str, broken: str = "") -> subprocess.CompletedProcess[str]:
    if broken:
        (folder / "sitecustomize.py").write_text(NO_MAIL.format(act=broken))
    return subprocess.run(
        [sys.executable, "manage.py", "demo", "--check", *arguments],
        env=_environment(PYTHONPATH=str(folder), DEMO_DATA=str(folder / "data")),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def _served(folder: Path, port: int) -> Iterator[str]:
    """Start the demo; gives what it printed until it served."""
    server = subprocess.Popen(
        [sys.executable, "-u", "manage.py", "demo", "--port", str(port)],
        env=_environment(DEMO_DATA=str(folder)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with server:
        lines = []
        for line in server.stdout:
            lines.append(line)
            if "Quit the server" in line:
                break
        try:
            # It says so just before it listens.
            until(lambda: listens(port), "the server")
            yield "".join(lines)
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=20)


def _log_in(browser: OpenerDirector, address: str, password: str) -> str:
    page = browser.open(address).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token}
    return browser.open(f"{address}login/?next=/admin/", urlencode(form).encode()).read().decode()


def _environment(**values: str) -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "demo_project.settings", "EMAIL_URL": "", **values}
