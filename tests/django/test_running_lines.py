"""The lines of `runtasks` on a terminal: what runs, told as on the pages."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import translation

from tests.conftest import Site, until
from yao_tasks import boot, current_job
from yao_tasks.dashboard.amounts import amount_of
from yao_tasks.management.running import cut, running_lines

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def lines(site: Site) -> Iterator[Callable[..., list[str]]]:
    """The lines of a pool whose jobs have reported."""
    gate = site.gate()

    def handler(job_id: int, password: str, *progress: object) -> None:
        job = current_job()
        assert job is not None
        job.progress(*progress)
        gate(job_id)

    def asked(*jobs: tuple[object, ...], columns: int = 200, rows: int = 24) -> list[str]:
        pool = site.task("mail.welcome", handler, worker_nums=20)
        for job in jobs:
            pool.add("hunter2-9f3", *job)
        gate.entered(len(jobs))
        return running_lines(columns, rows)

    yield asked
    gate.open()
    boot.reset()


def test_a_line_says_how_far_a_job_is_and_for_how_long(lines: Callable[..., list[str]]) -> None:
    (line,) = lines((5, 20, "sending"))
    (info,) = boot.house().running(10)

    told = re.fullmatch(r"mail\.welcome (\d+) \[####------------\] (.*): sending", line)

    assert told is not None, line
    assert int(told[1]) == info.id
    assert told[2].startswith(f"{amount_of(info)}, ")
    assert told[2].startswith("5 of 20, ")
    assert told[2].endswith(" left")


def test_a_line_is_in_the_language_of_the_site(lines: Callable[..., list[str]]) -> None:
    with translation.override("zh-hans"):
        (line,) = lines((5, 20))

    assert "5 / 20, " in line
    assert "剩余 " in line


def test_without_a_total_there_is_no_bar(lines: Callable[..., list[str]]) -> None:
    (line,) = lines((7, 0, "rows"))

    assert re.fullmatch(r"mail\.welcome \d+ 7, (under 1|\d) s: rows", line), line


def test_a_line_tells_no_secret_and_nothing_that_a_terminal_obeys(lines: Callable[..., list[str]]) -> None:
    (line,) = lines((1, 2, "with hunter2-9f3\x1b[2J\n"))

    assert "hunter2" not in line
    assert "\x1b" not in line
    assert "\n" not in line


def test_there_are_no_more_lines_than_fit(lines: Callable[..., list[str]]) -> None:
    few = lines(*[(1, 2)] * 12, columns=40, rows=6)
    most = running_lines(40, 100)

    assert len(few) == 5
    assert few[-1] == "and 8 more"
    assert len(most) == 11
    assert max(map(len, most)) <= 39


@pytest.mark.parametrize(
    ("text", "columns", "kept"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc"),
        ("正在发送", 5, "正在"),
        ("e\u0301e\u0301e", 2, "e\u0301e\u0301"),
        ("", 5, ""),
    ],
)
def test_a_line_is_cut_by_the_columns_it_takes(text: str, columns: int, kept: str) -> None:
    assert cut(text, columns) == kept


SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "yao_tasks", "worker.apps.Worker"]
YAO_TASKS = {"STATE_DIR": BASE_DIR / "state"}
LOGGING = {
    "version": 1,
    "handlers": {"terminal": {"class": "logging.StreamHandler"}},
    "loggers": {"yao_tasks": {"handlers": ["terminal"], "level": "INFO"}},
}
"""
JOBS = """
import pathlib, sys, time
from yao_tasks import current_job

def steps(job_id, number):
    job = current_job()
    for step in range(1, 5):
        job.progress(step, 4, f"step of {number}")
        # In one piece: what two threads print at once, print() mixes.
        (sys.stderr if number else sys.stdout).write(f"job {number} prints {step}\\n")
        time.sleep(0.4)
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    raise ValueError(f"job {number} fails")
"""
APP = """
from django.apps import AppConfig

class Worker(AppConfig):
    name = "worker"

    def ready(self):
        from yao_tasks import tasks
        for number in range(2):
            tasks["steps"].add(number)
"""


class Screen:
    """What a terminal of so many columns shows: as much of its language as is spoken here."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines = [""]
        self.row = self.column = 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[\d*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text):
            self._obey(part)

    def _obey(self, part: str) -> None:
        if part == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
        elif part == "\r":
            self.column = 0
        elif part == "\x1b[J":
            self.lines[self.row] = self.lines[self.row][: self.column]
            del self.lines[self.row + 1 :]
        elif part.startswith("\x1b"):
            assert part.endswith("A"), part
            self.row -= int(part[2:-1])
            assert self.row >= 0
        else:
            before = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = before[: self.column] + part + before[self.column + len(part) :]
            self.column += len(part)
            assert self.column < self.columns, f"{part!r} goes on in the next line"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project two of whose jobs begin with its process, report, print, and fail when they are told to."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "worker").mkdir()
    for name, text in {"__init__": "", "jobs": JOBS, "apps": APP}.items():
        (tmp_path / "worker" / f"{name}.py").write_text(text)
    (tmp_path / "project_settings.py").write_text(SETTINGS)
    (tmp_path / "tasks" / "steps.yao").write_text(
        '{"name": "Steps", "process": "worker.jobs.steps", "worker_nums": 2, "attempts": 0, "attempt_after": 0, '
        '"timeout": 60, "size": 10}'
    )
    return tmp_path


def command(project: Path, *arguments: str, **streams: object) -> "subprocess.Popen[bytes]":
    path = os.pathsep.join([str(project), str(ROOT)])
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project_settings",
        "PYTHONPATH": path,
        "TERM": "xterm",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHON_COLORS": "0",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "django", "runtasks", *arguments],
        cwd=project,
        env=environment,
        **streams,  # type: ignore[call-overload]
    )


@pytest.mark.slow
def test_on_a_terminal_what_runs_stands_below_all_else(project: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = command(project, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen, seen = Screen(1_000), threading.Lock()

    def read() -> None:
        while True:
            try:
                text = os.read(ours, 65_536)
            except OSError:  # nobody writes any more
                return
            with seen:
                screen.feed(text.decode())

    def shows() -> list[str]:
        with seen:
            return list(screen.lines)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        live = re.compile(r"steps \d+ \[################\] 4 of 4, \d+ s: step of [01]")
        until(lambda: all(map(live.fullmatch, shows()[-2:])), "both jobs at the bottom", seconds=30)
        before = shows()[:-2]
        (project / "go").touch()
        until(lambda: sum("ValueError: job" in line for line in shows()) == 2, "both failures")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)

    printed = [f"job {number} prints {step}" for number in (0, 1) for step in range(1, 5)]
    assert sorted(line for line in before if "prints" in line) == printed
    assert "yao_tasks: 1 tasks are loaded." in before
    assert not any(map(live.match, screen.lines))
    assert screen.lines[-2:] == ["All jobs have ended.", ""]


@pytest.mark.slow
def test_where_they_are_not_wanted_there_are_plain_lines_only(project: Path) -> None:
    ours, theirs = pty.openpty()
    (project / "go").touch()
    process = command(project, "-v", "0", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while text.count(b"ValueError: job") < 2:
            text += os.read(ours, 65_536)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)

    assert b"job 1 prints 4" in text
    assert b"\x1b" not in text
