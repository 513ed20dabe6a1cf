"""API: adding inside a transaction. The job takes its place at once, and starts after the commit, or never was."""

import logging
import threading

import pytest
from django.db import DatabaseError, connection, transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS
from yao_tasks.errors import JobNotFound, QueueFull
from yao_tasks.pools import Pool

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


class Undo(Exception):
    """Raised to roll a transaction back."""


@pytest.fixture
def ran() -> list[int]:
    """The ids of the jobs that ran."""
    return []


@pytest.fixture
def pool(task: MakeTask, notes: Notes, ran: list[int]) -> Pool:
    """A pool of one worker and one place beside it, whose handler notes its runs."""
    return task(ran.append, worker_nums=1, size=1, event=notes.events())


def never_was(pool: Pool, job_id: int) -> bool:
    with pytest.raises(JobNotFound):
        pool.get(job_id)
    with pytest.raises(JobNotFound):
        pool.wait(job_id, 1)
    return job_id not in pool.jobs and pool.cancel(job_id) is False


def rolled_back(pool: Pool, *, using: str | None = None) -> int:
    """Add a job in a transaction that is rolled back."""
    with pytest.raises(Undo), transaction.atomic(using=using):
        job_id = pool.add()
        raise Undo
    return job_id


# Commit


def test_a_job_waits_for_the_commit_and_then_starts(pool: Pool, notes: Notes, ran: list[int]) -> None:
    with transaction.atomic():
        job_id = pool.add()

        assert pool.get(job_id).status == "WAITING"
        assert job_id in pool.jobs
        assert pool.metrics()["waiting"] == 1
        assert (notes.all, ran) == ([], [])

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    pool.close()
    assert notes.names(job_id) == ["add", "success"]
    assert ran == [job_id]


def test_no_worker_takes_a_job_before_its_commit(pool: Pool, ran: list[int]) -> None:
    with transaction.atomic():
        held = pool.add()
        done = threading.Thread(target=lambda: pool.wait(pool.add(), SECONDS))
        done.start()
        done.join(SECONDS)

        assert len(ran) == 1
        assert pool.get(held).status == "WAITING"
    assert pool.wait(held, SECONDS).status == "SUCCESS"


def test_the_add_event_runs_after_the_commit_in_the_thread_that_commits(pool: Pool, notes: Notes) -> None:
    inside: list[bool] = []
    notes.also["add"] = lambda job_id: inside.append(connection.in_atomic_block)

    with transaction.atomic():
        job_id = pool.add()

    assert notes.of(job_id)[0].thread is threading.current_thread()
    assert inside == [False]


def test_jobs_of_one_transaction_start_in_the_order_in_which_they_were_added(
    task: MakeTask, ran: list[int]
) -> None:
    pool = task(ran.append, worker_nums=1)

    with transaction.atomic():
        ids = [pool.add() for _ in range(10)]

    pool.close()
    assert ran == ids


def test_a_nested_block_waits_for_the_outermost_commit(pool: Pool, notes: Notes) -> None:
    with transaction.atomic():
        with transaction.atomic():
            job_id = pool.add()
        assert pool.get(job_id).status == "WAITING"
        assert notes.all == []

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


def test_a_job_of_the_outer_block_survives_the_rollback_of_an_inner_one(
    task: MakeTask, ran: list[int]
) -> None:
    pool = task(ran.append)

    with transaction.atomic():
        outer = pool.add()
        inner = rolled_back(pool)

    pool.wait(outer, SECONDS)
    assert never_was(pool, inner)
    assert ran == [outer]


# Rollback


def test_after_a_rollback_the_job_never_was(
    pool: Pool, notes: Notes, ran: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "yao_tasks"):
        job_id = rolled_back(pool)

        assert never_was(pool, job_id)
        pool.close()

    assert (notes.all, ran, caplog.records) == ([], [], [])
    assert pool.metrics()["added"] == 0


def test_a_rollback_gives_the_place_back(pool: Pool) -> None:
    for _ in range(5):
        rolled_back(pool)

    with transaction.atomic():
        pool.add(), pool.add()
        with pytest.raises(QueueFull):
            pool.add()


def test_a_savepoints_rollback_gives_the_place_back_within_the_transaction(pool: Pool) -> None:
    with transaction.atomic():
        for _ in range(5):
            rolled_back(pool)

        ids = [pool.add(), pool.add()]

    assert [pool.wait(job_id, SECONDS).status for job_id in ids] == ["SUCCESS"] * 2


def test_set_rollback_takes_the_job_back(pool: Pool) -> None:
    with transaction.atomic():
        job_id = pool.add()
        transaction.set_rollback(True)

    assert never_was(pool, job_id)


def test_a_refusal_does_not_break_the_transaction(pool: Pool) -> None:
    with transaction.atomic():
        ids = [pool.add(), pool.add()]
        with pytest.raises(QueueFull):
            pool.add()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    assert [pool.wait(job_id, SECONDS).status for job_id in ids] == ["SUCCESS"] * 2


def test_a_database_error_in_the_block_takes_the_job_back(pool: Pool) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        job_id = pool.add()
        cursor.execute("SELECT nonsense")

    assert never_was(pool, job_id)


def test_a_commit_that_fails_takes_the_job_back(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DatabaseError("constraint violated at COMMIT")

    monkeypatch.setattr(connection, "_commit", refuse)

    with pytest.raises(DatabaseError), transaction.atomic():
        job_id = pool.add()

    assert never_was(pool, job_id)


def test_a_connection_that_breaks_in_the_block_takes_the_job_back(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Undo), transaction.atomic():
        job_id = pool.add()
        # What Django does where even the rollback fails.
        monkeypatch.setattr(connection, "_rollback", lambda: (_ for _ in ()).throw(DatabaseError("gone")))
        monkeypatch.setattr(connection, "close", lambda: connection.run_on_commit.clear())
        raise Undo

    monkeypatch.undo()
    assert never_was(pool, job_id)


def test_a_thousand_rollbacks_leave_no_run_no_event_and_all_places_free(
    task: MakeTask, notes: Notes, ran: list[int]
) -> None:
    """F6."""
    pool = task(ran.append, worker_nums=1, size=10, event=notes.events())

    ids = [rolled_back(pool) for _ in range(1_000)]

    assert all(never_was(pool, job_id) for job_id in ids[::100])
    assert (ran, notes.all) == ([], [])
    with transaction.atomic():
        for _ in range(11):
            pool.add()
        with pytest.raises(QueueFull):
            pool.add()
        transaction.set_rollback(True)


# Options


def test_on_commit_false_starts_at_once_and_survives_the_rollback(pool: Pool, ran: list[int]) -> None:
    with pytest.raises(Undo), transaction.atomic():
        job_id = pool.using(on_commit=False).add()
        assert pool.wait(job_id, SECONDS).status == "SUCCESS"
        raise Undo

    assert ran == [job_id]


def test_another_databases_transaction_does_not_hold_a_job(pool: Pool) -> None:
    with transaction.atomic(using="other"):
        assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"


def test_the_database_named_is_the_one_whose_commit_counts(pool: Pool, notes: Notes) -> None:
    with transaction.atomic(using="other"):
        job_id = pool.using(database="other").add()
        with transaction.atomic():
            pass
        assert pool.get(job_id).status == "WAITING"
        assert notes.all == []

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


def test_a_rollback_of_the_database_named_takes_the_job_back(pool: Pool) -> None:
    with pytest.raises(Undo), transaction.atomic(using="other"):
        job_id = pool.using(database="other").add()
        raise Undo

    assert never_was(pool, job_id)


# Lost callbacks


def test_a_commit_is_not_taken_for_a_callback_that_was_lost(
    task: MakeTask, ran: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(ran.append)
    with transaction.atomic():
        job_id = pool.add()
    pool.wait(job_id, SECONDS)
    # Where lost ones would be noticed.
    pool.add()
    pool.metrics()

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert pool.get(job_id).status == "SUCCESS"
