"""`current_job().finishing()`: one's own rows and the job's end, in one transaction."""

import logging
from typing import Any

import pytest

from tests.conftest import Site, until
from tests.durable.conftest import Durable, Rows, work
from yao_tasks import current_job
from yao_tasks.core.errors import JobNotFound
from yao_tasks.models import PausedTask


def note(database: str, name: str) -> None:
    """A row of the handler's own."""
    from django.utils import timezone

    PausedTask.objects.using(database).create(task=name, paused_at=timezone.now())


def noted(database: str, name: str) -> bool:
    return PausedTask.objects.using(database).filter(task=name).exists()


def test_the_handlers_rows_and_the_end_are_committed_together(
    durable: Durable, rows: Rows, journal: str
) -> None:
    told: list[Any] = []

    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        with job.finishing({"number": 7}):
            note(journal, "mine")
        return "dropped"

    pool = durable(handler, event={"success": lambda job_id, result: told.append((job_id, result))})
    work()

    info = pool.wait(pool.add(), 10)

    assert (info.status, info.response) == ("SUCCESS", {"number": 7})
    assert noted(journal, "mine")
    until(lambda: told == [(info.id, {"number": 7})], "event.success")
    until(lambda: not pool.metrics()["running"], "the worker")
    assert pool.wait(pool.add(), 10).status == "FAILURE"  # "mine" is there already: the worker goes on


def test_what_was_cancelled_meanwhile_writes_nothing(
    durable: Durable, rows: Rows, journal: str, site: Site
) -> None:
    gate, raised = site.gate(), []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        try:
            with job.finishing():
                note(journal, "mine")
                gate(job_id)
        except JobNotFound as error:
            raised.append(str(error))
            raise

    pool = durable(handler)
    work()
    job_id = pool.add()
    gate.entered()

    if journal_is_sqlite(journal):
        # One writer at a time: the handler's transaction is the writer.
        gate.open()
        assert pool.wait(job_id, 10).status == "SUCCESS"
        return
    assert pool.cancel(job_id)
    gate.open()

    until(lambda: raised, "the handler to be told")
    assert "rolled back" in raised[0]
    assert not noted(journal, "mine")
    assert pool.get(job_id).error.kind == "cancelled"  # type: ignore[union-attr]


def journal_is_sqlite(journal: str) -> bool:
    from django.db import connections

    return connections[journal].vendor == "sqlite"


def test_what_a_handler_raises_after_its_end_is_logged_and_dropped(
    durable: Durable, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        with job.finishing("done"):
            pass
        raise ValueError("too late")

    pool = durable(handler, worker_nums=1)
    work()

    with caplog.at_level(logging.ERROR, "yao_tasks"):
        info = pool.wait(pool.add(), 10)
        until(lambda: "too late" in caplog.text, "the line")

    assert (info.status, info.response) == ("SUCCESS", "done")
    assert pool.wait(pool.add(), 10).status == "SUCCESS"


def test_what_is_raised_inside_fails_the_job(durable: Durable, rows: Rows, journal: str) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        with job.finishing():
            note(journal, "mine")
            raise ValueError("no")

    pool = durable(handler)
    work()

    info = pool.wait(pool.add(), 10)

    assert (info.status, info.response) == ("FAILURE", "no")
    assert not noted(journal, "mine")


def test_a_task_in_memory_has_no_such_end(site: Site) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        with job.finishing():
            pass

    pool = site.task("plain", handler)

    info = pool.wait(pool.add(), 10)

    assert info.error is not None
    assert '"plain" is not durable' in info.error.message
