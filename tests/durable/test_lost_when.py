"""docs/durable.md, "What is lost when": each cell of the table has a test; those that nothing else asserts are here."""

import re
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Site, until
from tests.durable.conftest import Rows
from tests.durable.processes import Plant
from tests.journal.conftest import written
from yao_tasks import boot

ROOT = Path(__file__).parent.parent.parent
KINDS = ("job in memory", 'recorded (`"record": true`)', "durable")
# By row of the table: who asserts what is said of a job in memory, a recorded one, a durable one. "": there is none.
CELLS = {
    "the caller's transaction is rolled back": (
        "conformance/test_transactions.py::test_after_a_rollback_the_job_never_was",
        "journal/test_writing.py::test_nothing_is_written_before_the_commit_and_nothing_after_a_rollback",
        "durable/test_first.py::test_a_job_is_written_in_the_callers_transaction",
    ),
    "the handler raises, or takes too long": (
        "conformance/test_retries.py::test_a_job_that_always_fails_runs_attempts_plus_one_times",
        "journal/test_writing.py::test_a_failure_keeps_its_error_and_its_earlier_runs",
        "durable/test_first.py::test_a_failed_run_is_tried_again_and_each_is_kept",
    ),
    "the process is told to leave (SIGTERM)": (
        "servers/test_gunicorn.py::test_jobs_run_and_end_or_are_named_when_the_server_is_stopped",
        "durable/test_lost_when.py::test_the_row_of_a_recorded_job_that_a_close_cuts_short_says_so",
        "durable/test_leaving.py::test_a_long_run_is_told_and_waits_again",
    ),
    "the process dies (`kill -9`, out of memory, power)": (
        "durable/test_lost_when.py::test_a_death_takes_jobs_in_memory_without_a_word",
        "journal/test_processes.py::test_what_a_killed_process_had_in_memory_is_lost_and_can_be_tried_again",
        "durable/test_deaths.py::test_nothing_is_lost_where_the_process_is_killed",
    ),
    "a process worker's child dies": (
        "faults/test_children.py::test_a_poison_job_costs_nobody_else_anything",
        "durable/test_lost_when.py::test_a_child_that_dies_costs_a_recorded_job_one_attempt",
        "durable/test_kinds.py::test_a_process_that_dies_costs_its_job_an_attempt",
    ),
    "the machine dies": (
        "durable/test_lost_when.py::test_a_death_takes_jobs_in_memory_without_a_word",
        "durable/test_lost_when.py::test_nobody_knows_what_became_of_recorded_jobs_on_another_machine",
        "durable/test_sharing.py::test_a_process_whose_lease_is_over_is_no_owner_any_more",
    ),
    "the database is away while a job is added": (
        "faults/test_postgres.py::test_no_connection_is_opened_by_jobs_that_use_none",
        "journal/test_outages.py::test_jobs_go_on_while_the_database_is_away_and_their_ends_are_written_afterwards",
        "durable/test_outages.py::test_a_database_that_is_away_loses_nothing",
    ),
    "the database is away while a job ends": (
        "faults/test_postgres.py::test_no_connection_is_opened_by_jobs_that_use_none",
        "journal/test_outages.py::test_jobs_go_on_while_the_database_is_away_and_their_ends_are_written_afterwards",
        "durable/test_outages.py::test_a_database_that_is_away_loses_nothing",
    ),
    "a release no longer knows the task": (
        "",
        "",
        "durable/test_rows.py::test_a_task_that_no_release_knows_waits_an_hour",
    ),
}


def test_each_cell_of_the_table_has_a_test() -> None:
    text = (ROOT / "docs" / "durable.md").read_text()
    section = text.split("## What is lost when")[1].split("\n## ")[0]
    heading, *rows = [line for line in section.splitlines() if line.startswith("| ")]

    told = {cells[0]: cells[1:] for cells in map(_cells, rows)}

    assert tuple(_cells(heading)[1:]) == KINDS
    assert list(told) == list(CELLS)
    for row, tests in CELLS.items():
        assert [bool(test) for test in tests] == [cell != "–" for cell in told[row]], row
        for test in filter(None, tests):
            path, name = test.split("::")
            module = (ROOT / "tests" / path).read_text()
            assert re.search(rf"^def {name}\(", module, re.MULTILINE), test


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_row_of_a_recorded_job_that_a_close_cuts_short_says_so(site: Site, rows: Rows) -> None:
    pool = site.task("job", site.gate(), record=True, timeout=60)
    job_id = pool.add()
    site.gates[0].entered()

    left = pool.close(timeout=0.05)
    written()

    assert left == [job_id]
    row = rows.of(job_id)
    assert row is not None
    assert (row.status, row.kind) == (4, "lost")


@pytest.mark.slow
def test_a_death_takes_jobs_in_memory_without_a_word(plant: Plant, rows: Rows) -> None:
    plant.define("job", durable=False)
    process = plant.start("tasks", "add", "job", "--args", "[60]")
    until(lambda: plant.ledger(), "the run", seconds=60)

    plant.kill(process)

    # What it had said before: that it waits.
    assert "lost" not in plant.said(process)
    assert not rows.all().exists()
    later = plant.start("runtasks")
    time.sleep(1)
    later.send_signal(signal.SIGTERM)
    later.wait(20)
    assert len(plant.ledger()) == 1


@pytest.mark.slow
def test_a_child_that_dies_costs_a_recorded_job_one_attempt(site: Site, rows: Rows) -> None:
    pool = site.task(
        "job",
        print,
        process="tests.children.ends_its_process",
        worker_type="process",
        record=True,
        attempts=1,
    )

    info = pool.wait(pool.add("SIGKILL"), 60)

    assert (info.status, info.attempt) == ("FAILURE", 2)
    assert info.error is not None
    assert info.error.kind == "lost"
    written()
    row = rows.of(info.id)
    assert row is not None
    assert (row.status, row.kind, row.attempt) == (4, "lost", 2)
    assert "SIGKILL" in row.error


def test_nobody_knows_what_became_of_recorded_jobs_on_another_machine(site: Site, rows: Rows) -> None:
    pool = site.task("job", lambda job_id: None, record=True)
    first = pool.wait(pool.add(), 10).id
    written()
    row = rows.of(first)
    assert row is not None
    owner = row.owner
    assert owner is not None
    owner.pk, owner.machine = None, "another"
    owner.save(using=row._state.db)
    rows.all().filter(pk=row.pk).update(status=2, ended_at=None, owner=owner)
    boot.reset()

    boot.house().home.journal.past("job", first)

    row = rows.of(first)
    assert row is not None
    assert row.status == 2
