"""History while the database is away, full, read-only or without tables: jobs go on, and only history waits."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DataError, OperationalError, connections

from tests.conftest import SECONDS, Site, until
from tests.databases import configured, known
from tests.disks import fill, full_disk
from tests.journal.conftest import Recorded, Rows, written
from yao_tasks import boot, conf
from yao_tasks.core.jobs import READY, Job
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.journal import sql, writer
from yao_tasks.journal.rows import RowsOf
from yao_tasks.models import JobStatus
from yao_tasks.pools import Pool

__all__ = ["full_disk"]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer tries again soon."""
    monkeypatch.setattr(writer, "PAUSES", (0.02, 0.05))


class Refusing:
    """A database that refuses what `refuses` says of each row; all of it while it is `away`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away: Exception | None = None
        self.refuses: Callable[[tuple[Any, ...]], Exception | None] = lambda row: None
        self.tries = 0
        self._write = sql.write
        monkeypatch.setattr(sql, "write", self)

    def __call__(self, connection: Any, rows: Any) -> None:
        self.tries += 1
        for error in (self.away, *map(self.refuses, rows)):
            if error is not None:
                raise error
        self._write(connection, rows)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Refusing:
    return Refusing(monkeypatch)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of the history."""
    return [record.getMessage() for record in caplog.records if "history" in record.getMessage()]


def run_many(pool: Pool, count: int) -> list[int]:
    ids = pool.add_many([()] * count)
    for info in pool.as_completed(ids, SECONDS):
        assert info.status == "SUCCESS"
    return list(ids)


@pytest.mark.slow
def test_jobs_go_on_while_the_database_is_away_and_their_ends_are_written_afterwards(
    task: Recorded, rows: Rows, refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(lambda job_id: None, size=1_000)
    refusing.away = OperationalError("the server has gone away")

    ids = run_many(pool, 300)
    until(lambda: refusing.tries > 5, "some tries")
    assert not rows.all().exists()
    refusing.away = None

    until(lambda: rows.all().filter(status=JobStatus.SUCCESS).count() == 300, "all ends")
    assert set(rows.all().values_list("job_id", flat=True)) == set(ids)
    until(lambda: len(lines(caplog)) == 2, "two lines")
    away, back = lines(caplog)
    assert away.startswith(
        'The history of jobs can\'t be written to the database "journal": the server has gone away.'
    )
    assert "Jobs go on" in away
    assert back.startswith('The history of jobs is written to the database "journal" again, after ')
    assert [r.levelno for r in caplog.records if "history" in r.getMessage()] == [
        logging.ERROR,
        logging.WARNING,
    ]


@pytest.mark.slow
def test_of_more_than_can_be_kept_ends_are_forgotten_last_and_counted(
    site: Site, task: Recorded, rows: Rows, refusing: Refusing, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(writer, "BACKLOG", 50)
    gate = site.gate()

    def handler(job_id: int, what: str = "") -> None:
        if what:
            gate(job_id)

    pool = task(handler, worker_nums=8, size=1_000)
    refusing.away = OperationalError("away")
    alive = [pool.add("waits") for _ in range(4)]
    gate.entered(4)

    ids = run_many(pool, 80)
    # What it has taken in is tried before it says that there is nothing left to wait for.
    assert not boot.house().home.journal.flush(SECONDS)
    refusing.away = None
    until(lambda: len(lines(caplog)) == 2, "two lines")

    written = rows.all().filter(job_id__in=ids, status=JobStatus.SUCCESS).count()
    assert 50 <= written <= 55
    assert f"the ends of {80 - written} jobs were too many to be kept" in lines(caplog)[1]
    # The four come again by themselves.
    gate.open()
    for job_id in alive:
        rows.until(job_id, status=JobStatus.SUCCESS)


def test_one_row_that_is_refused_keeps_no_other_from_its_end(
    task: Recorded, rows: Rows, refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(lambda job_id: None)
    pool.pause()
    ids = pool.add_many([()] * 20)
    refusing.refuses = lambda row: DataError("no such letter") if row[1] == ids[7] else None
    pool.resume()

    for _ in pool.as_completed(ids, SECONDS):
        pass
    written()

    assert rows.all().filter(job_id__in=ids, status=JobStatus.SUCCESS).count() == 19
    [line] = {record.getMessage() for record in caplog.records if "can't be recorded" in record.getMessage()}
    assert line == f"job: job {ids[7]} can't be recorded as it is now: no such letter"
    assert lines(caplog) == []


def test_letters_that_a_table_does_not_know_are_written_in_ascii(
    task: Recorded, rows: Rows, refusing: Refusing
) -> None:
    refusing.refuses = lambda row: (
        None if str(row).isascii() else OperationalError(1366, "Incorrect string value")
    )
    pool = task(lambda job_id, name: None)

    job_id = pool.add("图")

    assert rows.until(job_id, status=JobStatus.SUCCESS).args == r'[["\u56fe"],{}]'
    assert pool.wait(pool.add("plain"), SECONDS).status == "SUCCESS"


def test_a_close_while_the_database_is_away_keeps_its_time_and_says_what_was_not_written(
    task: Recorded, refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(lambda job_id: None)
    refusing.away = OperationalError("away")
    run_many(pool, 10)

    began = time.monotonic()
    boot.reset()

    assert time.monotonic() - began < 5
    assert any(
        "The history of 10 jobs, 10 of them ended, could not be written" in line for line in lines(caplog)
    )


@pytest.mark.slow
def test_missing_tables_are_one_sentence_and_jobs_go_on_until_they_are_there(
    task: Recorded, rows: Rows, caplog: pytest.LogCaptureFixture, journal: str
) -> None:
    call_command("migrate", "yao_tasks", "zero", database=journal, verbosity=0)
    try:
        pool = task(lambda job_id: None)
        ids = run_many(pool, 20)
        [line] = until(lambda: lines(caplog), "the sentence")
        assert line.endswith(" Its tables are missing: run manage.py migrate.")
        time.sleep(0.2)
        assert len(lines(caplog)) == 1
    finally:
        call_command("migrate", "yao_tasks", database=journal, verbosity=0)

    until(lambda: rows.all().filter(job_id__in=ids, status=JobStatus.SUCCESS).count() == 20, "all ends")
    until(lambda: len(lines(caplog)) == 2, "two lines")


@pytest.fixture
def small(site: Site, settings: Any, tmp_path: Path, django_db_blocker: Any) -> Any:
    """An SQLite database of its own, which can be made full or read-only."""
    with django_db_blocker.unblock(), known(configured("sqlite", tmp_path), "small"):
        settings.YAO_TASKS = {**settings.YAO_TASKS, "DATABASE": "small"}
        conf.reset()
        call_command("migrate", "yao_tasks", database="small", verbosity=0)
        yield connections.settings["small"]
        boot.reset()


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_is_full_or_can_not_be_written_costs_history_only(
    site: Site, small: Any, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F28: the part of records."""
    pool = site.task("job", lambda job_id, text: None, record=True, size=10_000)
    healthy = small["OPTIONS"]["init_command"]
    # 60 pages are just enough for the empty tables.
    pragma = {"full": "PRAGMA max_page_count=60", "read-only": "PRAGMA query_only=ON"}[fault]
    small["OPTIONS"] = {**small["OPTIONS"], "init_command": f"{healthy} {pragma};"}

    ids = pool.add_many([("x" * 1_000,)] * 1_000)
    for info in pool.as_completed(ids, SECONDS):
        assert info.status == "SUCCESS"
    until(lambda: lines(caplog), "the sentence")
    small["OPTIONS"] = {**small["OPTIONS"], "init_command": healthy}

    rows = Rows("small")
    until(lambda: rows.all().filter(status=JobStatus.SUCCESS).count() == 1_000, "all ends")
    assert set(rows.all().values_list("job_id", flat=True)) == set(ids)
    until(lambda: len(lines(caplog)) == 2, "two lines")


@pytest.mark.slow
def test_a_disk_that_is_really_full_costs_history_only(
    site: Site, full_disk: Path, settings: Any, django_db_blocker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """F28: the part of records."""
    config = {**configured("sqlite", full_disk), "NAME": full_disk / "small.sqlite3"}
    with django_db_blocker.unblock(), known(config, "small"):
        call_command("migrate", "yao_tasks", database="small", verbosity=0)
        pool = site.task("job", lambda job_id, text: None, record=True, size=10_000)
        settings.YAO_TASKS = {**settings.YAO_TASKS, "DATABASE": "small"}
        conf.reset()
        boot.reset()
        filler = fill(full_disk)

        ids = pool.add_many([("x" * 1_000,)] * 1_000)
        for info in pool.as_completed(ids, SECONDS):
            assert info.status == "SUCCESS"
        until(lambda: lines(caplog), "the sentence")
        filler.unlink()

        rows = Rows("small")
        until(lambda: rows.all().filter(status=JobStatus.SUCCESS).count() == 1_000, "all ends")
        boot.reset()


def test_an_end_that_comes_again_after_it_was_forgotten_is_not_counted_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "BACKLOG", 2)
    life = Lifecycle("job", worker_nums=1, size=10, keeps_ended=True)
    pool = RowsOf("job", life, print, most=1)
    mine = writer.Writer("default", None)  # type: ignore[arg-type]
    jobs = [ended(life, pool, number) for number in (1, 2, 3)]
    for job in jobs:
        mine._take(job)
    assert (list(mine._pending), mine._forgotten) == (jobs[1:], 1)

    mine._take(jobs[0])

    assert (list(mine._pending), mine._forgotten) == ([jobs[2], jobs[0]], 1)


def ended(life: Lifecycle, pool: RowsOf, number: int) -> Job:
    """A job that has ended."""
    job = Job(number, (), {}, 0.0, 0.0)
    job.row = pool.row(job)
    life.admit(job, READY)
    life.succeed(job, life.start(job, "job-1", 1.0), None, 2.0, resting=True)
    return job
