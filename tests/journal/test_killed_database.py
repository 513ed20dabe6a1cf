"""History through the end and the return of a database server, under load."""

import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from tests.conftest import Site, until
from tests.databases import known
from tests.journal.conftest import Rows
from yao_tasks import boot, conf
from yao_tasks.models import JobStatus

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
AWAY = 20


class Server:
    """A PostgreSQL of the test's own, in a folder, on a socket there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        # It refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "--no-sync")
        self.start()

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self._run(
            "pg_ctl", "-D", str(self.data), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def _run(self, name: str, *args: str) -> None:
        command = [str(BINARIES[-1] / name), *args]
        subprocess.run(
            command, check=True, user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL, timeout=60
        )


@pytest.fixture
def server() -> Iterator[Server]:
    if not BINARIES:
        why = "no server binaries of PostgreSQL in /usr/lib/postgresql"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    # Not below pytest's folder, which only its owner may enter.
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    server = Server(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_database_that_is_killed_for_twenty_seconds_costs_no_job_and_no_end(
    server: Server, site: Site, settings: Any, django_db_blocker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": str(server.folder),
        "USER": "postgres",
        "NAME": "postgres",
    }
    with django_db_blocker.unblock(), known(config) as alias:
        settings.YAO_TASKS = {**settings.YAO_TASKS, "DATABASE": alias}
        conf.reset()
        call_command("migrate", "yao_tasks", database=alias, verbosity=0)
        pool = site.task("job", lambda job_id: time.sleep(0.001), record=True, worker_nums=4, size=100_000)
        ids: list[int] = []
        stop = threading.Event()

        def load() -> None:
            while not stop.wait(0.01):
                ids.extend(pool.add_many([()] * 5))

        loader = threading.Thread(target=load)
        loader.start()
        time.sleep(1)
        server.stop()
        time.sleep(AWAY)
        server.start()
        time.sleep(1)
        stop.set()
        loader.join()
        until(lambda: not pool.jobs, "all jobs to end")
        assert boot.house().home.journal.flush(30) or boot.house().home.journal.flush(30)

        # The test's own is as dead as all others.
        connections[alias].close()
        rows = Rows(alias)
        assert pool.metrics()["succeeded"] == len(ids) > 5_000
        assert rows.all().filter(status=JobStatus.SUCCESS).count() == len(ids)
        assert set(rows.all().values_list("job_id", flat=True)) == set(ids)
        said = [record for record in caplog.records if "history" in record.getMessage()]
        assert [record.levelno for record in said] == [logging.ERROR, logging.WARNING], said
        boot.reset()
