"""Faults that memory jobs know, too: rollbacks, callbacks that are lost, bad arguments, planted paths."""

import datetime
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from tests.conftest import until
from tests.durable.conftest import Durable, Rows, work
from tests.durable.processes import Plant
from yao_tasks import current_job
from yao_tasks.core.errors import JobNotFound
from yao_tasks.journal.durable import endings


class Undo(Exception):
    """Rolls a block back."""


def test_a_thousand_rollbacks_leave_no_row_no_run_and_all_places_free(
    durable: Durable, rows: Rows, journal: str
) -> None:
    """F6."""
    ran: list[int] = []
    told: list[int] = []
    pool = durable(ran.append, size=10, worker_nums=1, event={"add": told.append})
    work()
    for _ in range(1_000):
        with pytest.raises(Undo), transaction.atomic(using=journal):
            job_id = pool.add()
            raise Undo

    with pytest.raises(JobNotFound):
        pool.get(job_id)
    assert (rows.all().count(), ran, told) == (0, [], [])
    pool.pause()
    assert len(pool.add_many([()] * 10)) == 10


def test_a_job_whose_callback_was_thrown_away_runs_all_the_same(
    durable: Durable, rows: Rows, journal: str
) -> None:
    """F7."""
    pool = durable(lambda job_id: "done")
    work()

    def breaks() -> None:
        raise Undo

    with pytest.raises(Undo), transaction.atomic(using=journal):
        transaction.on_commit(breaks, using=journal)
        job_id = pool.add()
    began = time.monotonic()

    assert pool.wait(job_id, 10).status == "SUCCESS"
    assert time.monotonic() - began < 6


@pytest.mark.slow
def test_a_flood_of_progress_is_few_writes_and_its_last_value_is_exact(
    durable: Durable, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L10."""
    written: list[float] = []
    report = endings.report

    def counted(connection: Any, reports: Any) -> None:
        written.extend(time.monotonic() for _ in reports)
        report(connection, reports)

    def floods(job_id: int) -> None:
        job = current_job()
        assert job is not None
        until = time.monotonic() + 1
        number = 0
        while time.monotonic() < until:
            number += 1
            job.progress(number, 10_000_000, f"row {number}")
        job.progress(9_999_999, 10_000_000, "nearly")

    monkeypatch.setattr(endings, "report", counted)
    pool = durable(floods)
    work()

    info = pool.wait(pool.add(), 20)

    assert (info.current, info.total, info.message) == (9_999_999, 10_000_000, "nearly")
    assert 1 <= len(written) <= 7


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
BAD: dict[str, tuple[Any, type[Exception]]] = {
    "NaN": (float("nan"), TypeError),
    "infinity": (float("inf"), TypeError),
    "NUL": ("a\0b", ValueError),
    "surrogate": ("\ud800", ValueError),
    "a large int": (10**5000, ValueError),
    "bytes": (b"x", TypeError),
    "a set": ({1}, TypeError),
    "a moment": (datetime.datetime(2026, 1, 1), TypeError),
    "a cycle": (CYCLE, ValueError),
    "64 KiB": ("x" * 65_536, ValueError),
}
GOOD = [
    "",
    "日本語 🙂",
    "\u2028",
    "'; DROP TABLE x; --",
    "\\",
    -(2**63),
    2**63 - 1,
    0.1,
    1e308,
    None,
    True,
    [[]],
    {"": []},
]


def test_each_database_takes_the_same_arguments_and_gives_them_back(durable: Durable, rows: Rows) -> None:
    """B1."""
    got: dict[int, Any] = {}
    pool = durable(lambda job_id, value: got.setdefault(job_id, value))
    for value, error in BAD.values():
        with pytest.raises(error, match="rgument"):
            pool.add(value)
    assert rows.all().count() == 0
    work()

    ids = pool.add_many([(value,) for value in GOOD])

    ended = {info.id: info for info in pool.as_completed(ids, 20)}
    assert [got[job_id] for job_id in ids] == GOOD
    assert [ended[job_id].response for job_id in ids] == GOOD


@pytest.mark.slow
def test_neither_a_task_that_is_a_function_nor_a_pickle_does_anything(durable: Durable, rows: Rows) -> None:
    """S10, S11."""

    class Planted:
        def __reduce__(self) -> Any:
            return os.system, ("touch planted",)

    pool = durable(lambda job_id, *args: args)
    foreign, pickled = pool.add(), pool.add()
    rows.all().filter(job_id=foreign).update(task="os.system", args='[["touch planted"],{}]')
    rows.all().filter(job_id=pickled).update(args=pickle.dumps(Planted(), 0).decode())
    before = set(sys.modules)
    work()

    error = pool.wait(pickled, 10).error

    assert error is not None
    assert error.kind == "lost"
    time.sleep(0.3)
    row = rows.of(foreign)
    assert row is not None
    assert (row.status, row.attempt) == (1, 0)
    assert not Path("planted").exists()
    assert {name for name in set(sys.modules) - before if "posix" in name} == set()


@pytest.mark.slow
def test_a_state_folder_that_somebody_planted_is_refused(plant: Plant, tmp_path: Path) -> None:
    """S8."""
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    (victim / "owner-aa.lock").write_text("precious")
    (plant.folder / "planted").symlink_to(victim)
    plant.define("job")

    process = plant.start("runtasks", SITE_STATE="planted")
    until(lambda: process.poll() is not None, "it to leave", seconds=60)

    assert process.returncode == 2, plant.said(process)
    assert "Traceback" not in plant.said(process)
    assert "planted" in plant.said(process)
    assert [path.name for path in victim.iterdir()] == ["owner-aa.lock"]
    assert (victim / "owner-aa.lock").read_text() == "precious"
