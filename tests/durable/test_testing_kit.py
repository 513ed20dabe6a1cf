"""Durable tasks in a project's own tests."""

import threading

from django.test import Client

from tests.durable.conftest import Durable, Rows
from yao_tasks import boot
from yao_tasks.models import JobStatus
from yao_tasks.testing import captured_tasks, drained_tasks, inline_tasks


def test_drained_tasks_run_them_to_their_ends(durable: Durable, rows: Rows) -> None:
    told: list[int] = []
    pool = durable(lambda job_id: "done", event={"success": lambda job_id, result: told.append(job_id)})

    with drained_tasks():
        ids = [pool.add() for _ in range(5)]

    assert {(row.job_id, row.status) for row in rows.all()} == {(job_id, JobStatus.SUCCESS) for job_id in ids}
    assert sorted(told) == ids
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("yao_tasks")]


def test_drained_tasks_cancel_what_is_not_due(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: None)

    with drained_tasks(timeout=2):
        job_id = pool.using(run_after=60).add()

    row = rows.of(job_id)
    assert row is not None
    assert row.kind == "cancelled"


def test_inline_tasks_run_them_at_once(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: "done")

    with inline_tasks():
        job_id = pool.add()
        assert pool.get(job_id).response == "done"

    assert rows.until(job_id, status=JobStatus.SUCCESS)


def test_captured_tasks_collect_them(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id, name: None)

    with captured_tasks() as jobs:
        pool.add("ada")
        jobs.assert_added("job", "ada")


def test_a_test_process_that_answers_requests_runs_none(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: None)

    Client().get("/nowhere/")
    pool.add()

    assert not boot.house().home.journal.works
