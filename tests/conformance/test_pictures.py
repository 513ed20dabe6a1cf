"""API: `JobInfo`. What a job's picture shows, field by field."""

import dataclasses
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site
from yao_tasks import current_job

Settings = Any


def end(job_id: int, *, fails: bool = False) -> str:
    if fails:
        raise ValueError("it failed")
    return "result"


# JobInfo, field by field


def test_a_waiting_job_in_all_its_fields(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, "mail.welcome", worker_nums=1)
    pool.add()
    gate.entered()
    before = datetime.now(UTC)

    info = pool.get(pool.add("ada", name="Ada"))

    assert info.as_dict() == {
        "id": info.id,
        "task": "mail.welcome",
        "status": "WAITING",
        "status_code": 1,
        "current": 0,
        "total": 0,
        "message": "",
        "percent": 0,
        "response": None,
        "error": None,
        "args": ("ada",),
        "kwargs": {"name": "Ada"},
        "attempt": 0,
        "added_at": info.added_at,
        "started_at": None,
        "ended_at": None,
        "due_at": None,
        "worker": None,
        "elapsed": None,
        "eta": None,
    }
    assert before - timedelta(seconds=1) < info.added_at < datetime.now(UTC) + timedelta(seconds=1)


def test_a_running_job_in_its_fields(task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(3, 12, "rendering")
        entered.set()
        assert go.wait(SECONDS)

    pool = task(handler)
    job_id = pool.add()
    assert entered.wait(SECONDS)

    info = pool.get(job_id)

    assert (info.status, info.status_code, info.attempt) == ("RUNNING", 2, 1)
    assert (info.current, info.total, info.message, info.percent) == (3, 12, "rendering", 25)
    assert (info.response, info.error, info.ended_at) == (None, None, None)
    assert info.worker
    assert info.started_at is not None
    assert info.added_at <= info.started_at <= datetime.now(UTC)
    go.set()


def test_a_success_in_its_fields(task: MakeTask) -> None:
    pool = task(end)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.status, info.status_code, info.attempt) == ("SUCCESS", 3, 1)
    assert (info.response, info.error, info.percent) == ("result", None, 100)
    assert info.started_at is not None
    assert info.ended_at is not None
    assert info.added_at <= info.started_at <= info.ended_at
    assert info.worker


def test_a_failure_in_its_fields(task: MakeTask) -> None:
    pool = task(end)

    info = pool.wait(pool.add(fails=True), SECONDS)

    assert (info.status, info.status_code, info.attempt) == ("FAILURE", 4, 1)
    assert info.error is not None
    assert (info.error.kind, info.error.type, info.error.message) == ("raised", "ValueError", "it failed")
    assert "ValueError: it failed" in info.error.traceback
    assert info.response == "it failed"
    assert info.as_dict()["error"] == {
        "kind": "raised",
        "type": "ValueError",
        "message": "it failed",
        "traceback": info.error.traceback,
    }
    assert info.ended_at is not None


def test_a_failure_without_text_is_named_by_its_type(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler)

    assert pool.wait(pool.add(), SECONDS).response == "ValueError"


@pytest.mark.parametrize("result", [None, 0, "", False, [], {"a": 1}])
def test_any_result_is_answered_as_it_is(task: MakeTask, result: object) -> None:
    pool = task(lambda job_id: result)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.status, info.response) == ("SUCCESS", result)


def test_all_moments_are_aware_and_in_utc(task: MakeTask) -> None:
    pool = task(end)

    info = pool.wait(pool.add(), SECONDS)

    for moment in (info.added_at, info.started_at, info.ended_at):
        assert moment is not None
        assert moment.tzinfo is UTC


def test_a_picture_is_frozen_and_stays_as_it_was(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add()
    gate.entered()
    info = pool.get(job_id)

    gate.open()
    pool.wait(job_id, SECONDS)

    assert info.status == "RUNNING"
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.status = "SUCCESS"  # type: ignore[misc]


def test_changing_a_picture_changes_no_job(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    pool.add()
    gate.entered()
    job_id = pool.add(name="Ada")

    pool.get(job_id).kwargs["name"] = "Eve"  # type: ignore[index]

    assert pool.get(job_id).kwargs == {"name": "Ada"}


@pytest.mark.parametrize(
    ("current", "total", "percent"),
    [
        (0, 0, 0),
        (5, 0, 0),
        (0, 10, 0),
        (5, 10, 50),
        (29, 100, 29),
        (1, 3, 33),
        (2.999, 3, 99),
        (10, 10, 100),
        (20, 10, 100),
        (-5, 10, 0),
        (5, -10, 0),
        (0.5, 1.0, 50),
        pytest.param(10**307, 1, 100, id="an integer of 308 digits"),
    ],
)
def test_percent_is_the_done_part_between_0_and_100(
    site: Site, task: MakeTask, current: float, total: float, percent: int
) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add()
    gate.entered()

    pool.progress(job_id, current, total)

    assert pool.get(job_id).percent == percent


# get
