"""Rows that a person wants gone, on each database."""

import threading

import pytest
from django.db import connections

from tests.conftest import until
from tests.journal.conftest import Recorded, Rows, written
from tests.million import long_history
from yao_tasks.journal.removing import remove


def test_only_rows_of_ended_jobs_go_and_only_those_named(task: Recorded, journal: str, rows: Rows) -> None:
    pool = task(lambda job_id: None)
    pool.pause()
    waiting = pool.add()
    written()
    long_history(journal, "job", 450, first_id=1)

    gone = remove(journal, "job", [*range(1, 401), waiting, 999_999])

    assert gone == set(range(1, 401))
    assert set(rows.all().values_list("job_id", flat=True)) == {*range(401, 451), waiting}
    assert remove(journal, "other", [401]) == set()
    assert remove(journal, "job", []) == set()


def test_of_two_who_delete_the_same_each_row_goes_once(journal: str, rows: Rows) -> None:
    if not connections[journal].features.has_select_for_update:
        pytest.skip("SQLite has no row locks: there both may say that they did it.")
    long_history(journal, "job", 400, first_id=1)
    gone: list[set[int]] = []
    barrier = threading.Barrier(2)

    def delete() -> None:
        barrier.wait(5)
        gone.append(remove(journal, "job", range(1, 401)))
        connections.close_all()

    threads = [threading.Thread(target=delete) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: len(gone) == 2)
    for thread in threads:
        thread.join()

    assert gone[0] & gone[1] == set()
    assert gone[0] | gone[1] == set(range(1, 401))
    assert not rows.all().exists()
