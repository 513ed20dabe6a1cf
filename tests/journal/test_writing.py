"""History: what is written of a job, when, and that nothing keeps an end from it."""

import datetime
import json
import threading
import time
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from tests.conftest import SECONDS, Site, until
from tests.journal.conftest import Recorded, Rows, written
from yao_tasks import GiveUp, boot, current_job
from yao_tasks.models import JobStatus


def test_a_job_is_a_row_with_all_that_its_picture_shows(task: Recorded, rows: Rows) -> None:
    def handler(job_id: int, name: str, **named: Any) -> dict[str, Any]:
        job = current_job()
        assert job is not None
        job.progress(3, 4, "rendering 图")
        return {"name": name}

    pool = task(handler)
    job_id = pool.add("Ada", n=[1, {"x": None}])
    info = pool.wait(job_id, SECONDS)
    written()

    row = rows.of(job_id)

    assert row is not None
    assert (row.task, row.job_id, row.status, row.kind) == ("job", job_id, JobStatus.SUCCESS, "")
    assert json.loads(row.args) == [["Ada"], {"n": [1, {"x": None}]}]
    assert json.loads(row.result) == {"name": "Ada"}
    assert (row.current, row.total, row.message) == (3, 4, "rendering 图")
    assert (row.attempt, row.base, row.worker, row.error, row.traceback, row.runs) == (
        1,
        0,
        info.worker,
        "",
        "",
        "",
    )
    assert info.started_at is not None
    assert info.ended_at is not None
    for at, there in (
        (row.added_at, info.added_at),
        (row.started_at, info.started_at),
        (row.ended_at, info.ended_at),
    ):
        assert at is not None
        assert abs((at - there).total_seconds()) < 0.00001
    assert row.due_at is None


def test_a_failure_keeps_its_error_and_its_earlier_runs(task: Recorded, rows: Rows) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        raise (GiveUp("enough") if job.attempt == 3 else ValueError(f"failure {job.attempt}"))

    pool = task(handler, attempts=5, attempt_after=0)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    written()

    row = rows.of(job_id)

    assert row is not None
    assert (row.status, row.kind, row.error, row.attempt) == (JobStatus.FAILURE, "raised", "enough", 3)
    assert row.error_type == "yao_tasks.errors.GiveUp"
    assert "in handler" in row.traceback
    runs = json.loads(row.runs)
    assert [(run["attempt"], run["type"], run["message"]) for run in runs] == [
        (1, "ValueError", "failure 1"),
        (2, "ValueError", "failure 2"),
    ]
    assert all("in handler" in run["traceback"] and run["started"] < run["ended"] for run in runs)


def test_of_very_many_runs_the_last_twenty_are_kept(task: Recorded, rows: Rows) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler, attempts=30, attempt_after=0)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    written()

    row = rows.of(job_id)

    assert row is not None
    assert [run["attempt"] for run in json.loads(row.runs)] == list(range(11, 31))


def test_rows_follow_their_jobs_while_they_live(site: Site, task: Recorded, rows: Rows) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    first = pool.add()
    gate.entered()
    waiting, delayed = pool.add(), pool.using(run_after=3600).add()

    assert rows.until(first, status=JobStatus.RUNNING, attempt=1).started_at is not None
    assert rows.until(waiting, status=JobStatus.WAITING).due_at is None
    due_at = rows.until(delayed, status=JobStatus.WAITING).due_at

    assert due_at is not None
    assert 3590 < (due_at - datetime.datetime.now(datetime.UTC)).total_seconds() < 3601
    pool.cancel(delayed)
    rows.until(delayed, status=JobStatus.FAILURE, kind="cancelled", due_at=None)
    gate.open()
    for job_id in (first, waiting):
        rows.until(job_id, status=JobStatus.SUCCESS)


def test_a_row_is_there_a_tenth_of_a_second_after_its_job_has_changed(
    site: Site, task: Recorded, rows: Rows
) -> None:
    gate = site.gate()
    pool = task(gate)
    # The first one makes the process known, and opens the connection.
    pool.add()
    written()
    took = []

    for _ in range(5):
        began = time.monotonic()
        job_id = pool.add()
        until(lambda job_id=job_id: rows.of(job_id), "the row")
        took.append(time.monotonic() - began)

    # Twice that, for a machine that is busy.
    assert sorted(took)[2] < 0.2


def test_nothing_is_written_before_the_commit_and_nothing_after_a_rollback(
    task: Recorded, rows: Rows, journal: str
) -> None:
    pool = task(lambda job_id: None).using(database=journal)

    with pytest.raises(ZeroDivisionError), transaction.atomic(using=journal):
        gone = pool.add()
        1 / 0  # noqa: B018
    with transaction.atomic(using=journal):
        kept = pool.add()
        written()
        assert rows.of(kept) is None
    written()

    assert rows.of(gone) is None
    assert rows.until(kept, status=JobStatus.SUCCESS)


@pytest.mark.slow
def test_progress_is_written_five_times_a_second_at_most_and_its_last_value_always(
    task: Recorded, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L10."""
    go = threading.Event()

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        until_ = time.monotonic() + 1
        count = 0
        while time.monotonic() < until_:
            count += 1
            job.progress(count, 0, f"at {count}")
        counts.append(count)
        assert go.wait(SECONDS)

    counts: list[int] = []
    pool = task(handler)
    writer = boot.house()
    seen: list[float] = []
    from yao_tasks.journal import sql

    write = sql.write
    monkeypatch.setattr(
        sql, "write", lambda connection, batch: (seen.extend(r[14] for r in batch), write(connection, batch))
    )

    job_id = pool.add()
    until(lambda: counts, "the flood to end")
    row = rows.until(job_id, current=counts[0])

    assert row.message == f"at {counts[0]}"
    assert counts[0] > 1_000
    # Its start, five a second, and the last.
    assert len(seen) <= 8
    assert seen == sorted(seen)
    assert writer is boot.house()
    go.set()


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        (None, None),
        ((1, 2), [1, 2]),
        (Decimal("1.50"), "1.50"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        ("a\0b \ud800", "a\0b \ud800"),
        (float("nan"), "(not kept: it is no JSON, ValueError)"),
        ({1, 2}, "(not kept: it is no JSON, TypeError)"),
        ("x" * 2**20, "(not kept: 1,048,578 bytes, and MAX_RESULT is 1,048,576)"),
    ],
    ids=range(8),
)
def test_a_result_is_kept_as_json_or_a_text_says_why_not(
    task: Recorded, rows: Rows, result: Any, kept: Any
) -> None:
    """B1."""
    pool = task(lambda job_id: result)
    job_id = pool.add()
    info = pool.wait(job_id, SECONDS)
    written()

    row = rows.of(job_id)

    assert row is not None
    assert row.status == JobStatus.SUCCESS
    assert json.loads(row.result) == kept
    # The job itself has lost nothing.
    assert info.response is result


@pytest.mark.parametrize(
    "text", ["a\0b", "a\ud800b", "图😀", "x" * 100_000], ids=["NUL", "surrogate", "letters", "long"]
)
def test_an_end_is_written_whatever_its_texts_hold(task: Recorded, rows: Rows, text: str) -> None:
    """B1."""

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(1, 2, text)
        raise ValueError(text)

    pool = task(handler)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    written()

    row = rows.of(job_id)

    assert row is not None
    assert row.status == JobStatus.FAILURE
    plain = text.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    assert (row.error, row.message) == (plain[:4096], plain[:500])


@pytest.mark.parametrize(
    "bad", [float("nan"), b"x", {1}, {1: 2}, "\0", "\ud800", 2**63, "x" * 70_000], ids=range(8)
)
def test_arguments_that_are_no_strict_json_are_refused_before_anything_happens(
    task: Recorded, rows: Rows, bad: Any
) -> None:
    """B1."""
    pool = task(lambda job_id, *_: None)

    for add in (
        lambda: pool.add("good", bad),
        lambda: pool.using(run_after=5).add(bad),
        lambda: pool.add_many([("good",), (bad,)]),
        lambda: pool.add_many([("good",), (bad,)], partial=True),
    ):
        with pytest.raises((TypeError, ValueError), match="rgument"):
            add()

    assert dict(pool.jobs) == {}
    assert pool.metrics()["added"] == 0
    written()
    assert not rows.all().exists()


@pytest.mark.slow
def test_ten_thousand_jobs_are_ten_thousand_rows_with_their_ends(task: Recorded, rows: Rows) -> None:
    def handler(job_id: int, number: int) -> int:
        if number % 10 == 0:
            raise ValueError
        return number

    pool = task(handler, worker_nums=4, size=10_000)
    ids = pool.add_many([(number,) for number in range(10_000)])
    for info in pool.as_completed(ids, SECONDS * 3):
        assert info.is_finished
    written()

    assert rows.all().filter(status=JobStatus.SUCCESS).count() == 9_000
    assert rows.all().filter(status=JobStatus.FAILURE, kind="raised").count() == 1_000
    assert set(rows.all().values_list("job_id", flat=True)) == set(ids)


def test_close_writes_everything(site: Site, task: Recorded, rows: Rows) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    running, waiting = pool.add(), pool.add()
    gate.entered()

    boot.reset()

    for job_id in (running, waiting):
        row = rows.of(job_id)
        assert row is not None
        assert (row.status, row.kind) == (JobStatus.FAILURE, "lost")
    assert row is not None
    assert row.owner is not None
    assert row.owner.ended_at is not None


def test_a_job_that_ended_before_its_first_write_is_one_statement(
    task: Recorded, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yao_tasks.journal import sql

    pool = task(lambda job_id: None)
    pool.add()
    written()
    batches: list[int] = []
    write = sql.write
    monkeypatch.setattr(
        sql, "write", lambda connection, batch: (batches.append(len(batch)), write(connection, batch))
    )

    ids = pool.add_many([()] * 50)
    for _ in pool.as_completed(ids, SECONDS):
        pass
    written()

    # Each once, or twice where the machine was slow; not for each of its three states.
    assert sum(batches) <= 100
    assert rows.all().filter(job_id__in=ids, status=JobStatus.SUCCESS).count() == 50


def test_a_flush_writes_the_progress_that_would_have_to_wait(site: Site, task: Recorded, rows: Rows) -> None:
    gate = site.gate()

    def handler(job_id: int) -> None:
        gate(job_id)

    pool = task(handler)
    job_id = pool.add()
    gate.entered()
    for count in range(1, 4):
        pool.progress(job_id, count, 10, "")
        written()

        row = rows.of(job_id)
        assert row is not None
        assert row.current == count
