"""Rows that were changed by hand, or that no release understands; and what `add` refuses."""

import datetime
import logging
import time
from typing import Any

import pytest

from tests.conftest import until
from tests.durable.conftest import Durable, Rows, work
from yao_tasks import boot
from yao_tasks.journal.durable.recovery import Sweep
from yao_tasks.models import JobRecord
from yao_tasks.pools import Pool


def sweep(rows: Rows, now: float) -> Sweep:
    house = boot.house()
    return Sweep(database=rows.database, folder=house.home.ids.folder, mine=0, now=now)


def spoil(rows: Rows, job_id: int, **fields: Any) -> None:
    rows.all().filter(job_id=job_id).update(**fields)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"args": "{broken"}, "lost", "can't be read"),
        ({"args": "[1, 2]"}, "lost", "can't be read"),
        ({"attempt": -1}, "lost", "attempt -1"),
        ({"base": -3}, "lost", "none that a job can have"),
        ({"args": '[["one", "too many"], {}]'}, "raised", "positional argument"),
        ({"carried": "{"}, "lost", "can't be read"),
    ],
)
def test_a_spoilt_row_ends_with_a_reason_and_others_run(
    durable: Durable,
    rows: Rows,
    fields: dict[str, Any],
    kind: str,
    text: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """B6."""
    pool = durable(lambda job_id: "fine")
    spoilt, good = pool.add(), pool.add()
    spoil(rows, spoilt, **fields)
    with caplog.at_level(logging.ERROR, "yao_tasks"):
        work()

        assert pool.wait(good, 10).status == "SUCCESS"
        info = pool.wait(spoilt, 10)
        until(lambda: str(spoilt) in caplog.text, "the line")

    assert info.error is not None
    assert info.error.kind == kind
    assert text in info.error.message
    time.sleep(0.25)
    assert sum(str(spoilt) in record.getMessage() for record in caplog.records) == 1


def test_a_row_with_a_status_that_does_not_exist_stops_nobody(durable: Durable, rows: Rows) -> None:
    """B6."""
    pool = durable(lambda job_id: "fine")
    spoilt, good = pool.add(), pool.add()
    spoil(rows, spoilt, status=9)

    work()

    assert pool.wait(good, 10).status == "SUCCESS"
    assert pool.get(spoilt).status == "FAILURE"


@pytest.mark.slow
def test_a_token_that_was_changed_by_hand_refuses_the_end(durable: Durable, rows: Rows, site: Any) -> None:
    gate = site.gate()
    pool = durable(gate, worker_nums=1)
    work()
    job_id = pool.add("x")
    gate.entered()

    spoil(rows, job_id, token=1)

    # What runs is let go, and its row, which nobody holds any more, is run again.
    until(lambda: pool.metrics()["started"] == 2, "the second run")
    gate.open()
    assert pool.wait(job_id, 10).status == "SUCCESS"


def test_a_task_that_no_release_knows_waits_an_hour(durable: Durable, rows: Rows) -> None:
    """B7."""
    pool = durable(lambda job_id: None)
    job_id, later = pool.add(), pool.using(run_after=7_200).add()
    spoil(rows, job_id, task="gone")
    spoil(rows, later, task="gone")
    now = time.time()

    assert list(sweep(rows, now + 3_000).end_unknown(["job"], now)) == []
    assert list(sweep(rows, now + 3_700).end_unknown(["job"], now + 3_600)) == [], "it has just begun to look"
    ended = list(sweep(rows, now + 3_700).end_unknown(["job"], now))

    assert [one.row.job_id for one in ended] == [job_id]
    row = rows.of(job_id)
    assert row is not None
    assert (row.status, row.kind) == (4, "lost")
    assert '"gone"' in row.error


def test_a_task_is_found_by_its_former_name(durable: Durable, rows: Rows) -> None:
    """B7."""
    pool = durable(lambda job_id: "found", formerly=["old_name"])
    job_id = pool.add()
    spoil(rows, job_id, task="old_name")
    assert pool.get(job_id).status == "WAITING"

    work()

    assert pool.wait(job_id, 10).response == "found"


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_an_unknown_task_hold_up_nobody(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: "fine")
    job_id = pool.add()
    row = rows.all().values().get()
    copies = [
        JobRecord(**{**row, "id": None, "job_id": number, "task": "gone"}) for number in range(1, 100_001)
    ]
    rows.all().bulk_create(copies, batch_size=500)

    began = time.monotonic()
    work()

    assert pool.wait(job_id, 10).response == "fine"
    assert time.monotonic() - began < 5
    clerk = boot.house().home.journal.clerk
    before = clerk.chores.now()
    until(lambda: clerk.chores.now() > before + 0.5, "two looks")
    assert pool.wait(pool.add(), 10).status == "SUCCESS"


@pytest.mark.parametrize(
    "value",
    [float("nan"), {1, 2}, b"x", datetime.date(2026, 1, 1), 10**30, "\0", "\ud800", "x" * 70_000, object()],
)
def test_what_is_no_json_is_refused_before_anything_is_written(
    durable: Durable, rows: Rows, value: Any
) -> None:
    """B1."""
    pool = durable(lambda job_id, *args: None)

    for call in (lambda: pool.add(value), lambda: pool.add_many([("fine",), (value,)])):
        with pytest.raises((TypeError, ValueError), match=r"[Aa]rgument"):
            call()

    assert not rows.all().exists()


def test_on_commit_false_and_a_foreign_database_are_refused(durable: Durable, rows: Rows) -> None:
    pool: Pool = durable(lambda job_id: None)

    with pytest.raises(ValueError, match="on_commit=False can't be kept"):
        pool.using(on_commit=False).add()
    with pytest.raises(ValueError, match="can't belong to a transaction of"):
        pool.using(database="other").add()


@pytest.mark.slow
def test_what_was_not_started_in_time_expires(
    durable: Durable, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yao_tasks.journal.durable import office

    monkeypatch.setattr(office, "SWEEP_EVERY", 0.1)
    told: list[str] = []
    pool = durable(
        lambda job_id: None, event={"error": lambda job_id, error: told.append(type(error).__name__)}
    )
    job_id = pool.using(expires=0.3).add()
    time.sleep(0.4)

    work()

    info = pool.wait(job_id, 10)
    assert info.error is not None
    assert (info.error.kind, info.error.type) == ("cancelled", "yao_tasks.errors.JobExpired")
    until(lambda: told == ["JobExpired"], "event.error")


def test_the_clock_of_the_database_says_what_is_due(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: None)
    work()
    until(lambda: boot.house().home.journal.clerk._owner, "the clerk")
    office: Any = boot.house().home.journal.clerk.chores

    assert abs(office.now() - time.time()) < 1
    assert pool.wait(pool.using(run_after=0.3).add(), 10).status == "SUCCESS"


def test_old_rows_are_pruned_where_nothing_else_is_recorded(
    durable: Durable, rows: Rows, settings: Any
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RECORD_MAX": 5}
    pool = durable(lambda job_id: None)
    boot.house().home.journal.pruning._next = float("inf")
    work()
    ids = pool.add_many([()] * 40)
    for _ in pool.as_completed(ids, 10):
        pass

    boot.house().home.journal.pruning._next = 0.0

    until(lambda: rows.all().count() == 5, "all but five to go")
