"""The database is away, or its disk is full, while durable jobs run."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError

from tests.conftest import until
from tests.databases import configured, known
from tests.durable import processes
from tests.durable.conftest import Rows, all_ended
from tests.durable.processes import Plant
from tests.journal.test_killed_database import Server, server
from yao_tasks import boot
from yao_tasks.pools import tasks

__all__ = ["server"]

pytestmark = pytest.mark.slow
AWAY = 8


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = f"no small disk can be made here: {done.stderr.strip()}"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def planted(site: Any, settings: Any, tmp_path: Path, django_db_blocker: Any) -> Iterator[Any]:
    """Make a plant in a database: `planted(config)` answers it and its rows."""
    made: list[Any] = []

    def make(config: dict[str, Any]) -> tuple[Plant, Rows]:
        alias = known(config)
        name = alias.__enter__()
        one = processes.plant(tmp_path / "plant", config)
        plant = one.__enter__()
        made.extend([alias, one])
        settings.YAO_TASKS = {
            "DIRS": [plant.folder / "tasks"],
            "STATE_DIR": plant.folder / "state",
            "DATABASE": name,
        }
        boot.reset()
        call_command("migrate", "yao_tasks", database=name, verbosity=0)
        return plant, Rows(name)

    with django_db_blocker.unblock():
        yield make
        boot.reset()
        for one in reversed(made):
            one.__exit__(None, None, None)


def test_a_database_that_is_away_loses_nothing(server: Server, planted: Any) -> None:
    """F10."""
    config = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": str(server.folder),
        "USER": "postgres",
        "NAME": "postgres",
    }
    plant, rows = planted(config)
    plant.define("job", worker_nums=4)
    boot.reset()
    ids = tasks["job"].add_many([(0.05,)] * 400)
    worker = plant.start()
    until(lambda: len(plant.ledger()) > 50, "some runs", seconds=60)

    server.stop()
    with pytest.raises(OperationalError):
        tasks["job"].add()
    time.sleep(AWAY)
    assert worker.poll() is None
    server.start()

    from django.db import connections

    connections[rows.database].close()
    began = time.monotonic()
    until(lambda: "claimed and ended again" in plant.said(worker), "it to go on", seconds=15)
    assert time.monotonic() - began < 8
    all_ended(rows, seconds=60)
    assert rows.all().filter(status=3).count() == len(ids)
    assert plant.said(worker).count("Durable jobs can't be") == 1


def test_a_full_disk_loses_nothing(full_disk: Path, planted: Any) -> None:
    """F28."""
    config = configured("sqlite", full_disk)
    config = {**config, "OPTIONS": {**config["OPTIONS"], "timeout": 5}}
    plant, rows = planted(config)
    plant.define("job", worker_nums=2)
    boot.reset()
    first = [tasks["job"].add(1.5) for _ in range(2)]
    worker = plant.start()
    until(lambda: len(plant.ledger()) == 2, "the runs", seconds=60)

    filler = full_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    with pytest.raises(OperationalError):
        for _ in range(5_000):
            tasks["job"].add("x" * 10_000)
    time.sleep(3)
    assert worker.poll() is None
    filler.unlink()

    began = time.monotonic()
    for job_id in first:
        rows.until(job_id, status=3)
    after = tasks["job"].add()
    rows.until(after, status=3)
    assert time.monotonic() - began < 10
    assert {plant.runs()[job_id] for job_id in first} == {1}
