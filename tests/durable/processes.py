"""A site with processes of its own: `runtasks`, commands, killed as a test wants it; and its ledger."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import KEYS, until

ROOT = Path(__file__).parent.parent.parent


class Plant:
    """The site. `start` answers a process, which the test's end kills."""

    def __init__(self, folder: Path, database: dict[str, Any]) -> None:
        self.folder = folder
        self.database = {**database, "NAME": str(database["NAME"])}
        (folder / "tasks").mkdir(parents=True)
        self.processes: list[subprocess.Popen[str]] = []

    def define(self, task: str, handler: str = "work", **keys: Any) -> None:
        """Write a durable task's definition. Its handler is one of `tests.durable.handlers`."""
        keys = {"worker_nums": 4, "size": 100_000, "timeout": 60, "durable": True, **keys}
        definition = {**KEYS, "process": f"tests.durable.handlers.{handler}", **keys}
        (self.folder / "tasks" / f"{task}.json").write_text(json.dumps(definition))

    def environ(self, **more: str) -> dict[str, str]:
        wanted = {
            "DJANGO_SETTINGS_MODULE": "tests.durable.site",
            "SITE": str(self.folder),
            "SITE_DATABASE": json.dumps(
                {key: value for key, value in self.database.items() if key != "TEST"}
            ),
            "PYTHONPATH": str(ROOT),
        }
        return {**os.environ, **wanted, **more}

    def start(self, *command: str, **more: str) -> "subprocess.Popen[str]":
        """Start a command of the site's manage.py, `runtasks` if none is named."""
        out = (self.folder / f"out-{len(self.processes)}").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.durable.manage", *(command or ("runtasks",))],
            cwd=ROOT,
            env=self.environ(**more),
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
        out.close()
        self.processes.append(process)
        return process

    def said(self, process: "subprocess.Popen[str]") -> str:
        """What a process has printed."""
        return (self.folder / f"out-{self.processes.index(process)}").read_text()

    def working(self, process: "subprocess.Popen[str]") -> None:
        """Wait until `runtasks` says that it works."""

        def works() -> bool:
            assert process.poll() is None, self.said(process)
            return "Working the durable ones" in self.said(process)

        until(works, "runtasks to work", seconds=60)

    def kill(self, process: "subprocess.Popen[str]") -> None:
        """`kill -9`."""
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def ledger(self, what: str = "run") -> list[tuple[int, int, int, int]]:
        """The ledger's lines: job, attempt, pid, nanoseconds."""
        try:
            lines = (self.folder / "ledger").read_text().splitlines()
        except FileNotFoundError:
            return []
        split = [line.split() for line in lines]
        return [
            (int(job), int(attempt), int(pid), int(at))
            for kind, job, attempt, pid, at in split
            if kind == what
        ]

    def steps(self) -> list[str]:
        """What steps of workflows have noted, in order."""
        try:
            return (self.folder / "steps").read_text().splitlines()
        except FileNotFoundError:
            return []

    def runs(self) -> "Counter[int]":
        """How often each job has been started."""
        return Counter(job for job, *_ in self.ledger())

    def attempts(self) -> dict[int, list[int]]:
        """The attempts of each job, in the order in which they were started."""
        found: dict[int, list[int]] = defaultdict(list)
        for job, attempt, *_ in self.ledger():
            found[job].append(attempt)
        return found

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(10)


@contextmanager
def plant(folder: Path, database: dict[str, Any]) -> Iterator[Plant]:
    """A site, whose processes are killed in the end."""
    site = Plant(folder, database)
    try:
        yield site
    finally:
        site.end()
