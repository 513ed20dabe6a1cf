"""API: adding inside a transaction. The job takes its place at once, and starts after the commit, or never was."""

import contextlib
import gc
import logging
import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import DatabaseError, connection, connections, transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
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


def lose_the_callback(pool: Pool) -> int:
    """Commit a transaction whose first callback raises."""

    def fail() -> None:
        raise Undo

    with pytest.raises(Undo) as caught, transaction.atomic():
        transaction.on_commit(fail)
        job_id = pool.add()
    # Django's callbacks hang on the exception's frames.
    del caught
    gc.collect()
    return job_id


def test_a_job_whose_callback_was_thrown_away_never_was_and_is_named_in_an_error_line(
    pool: Pool, notes: Notes, ran: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """F7."""
    with caplog.at_level(logging.DEBUG, "yao_tasks"):
        job_id = lose_the_callback(pool)

        assert never_was(pool, job_id)
        pool.close()

    (line,) = caplog.records
    assert (line.levelname, line.task, line.job) == ("ERROR", "job", job_id)  # type: ignore[attr-defined]
    assert f"job {job_id} never was" in line.getMessage()
    assert "robust=True" in line.getMessage()
    assert (ran, notes.all) == ([], [])


def test_a_callback_that_was_thrown_away_gives_its_place_back(pool: Pool) -> None:
    """F7."""
    for _ in range(5):
        lose_the_callback(pool)

    with transaction.atomic():
        pool.add(), pool.add()
        with pytest.raises(QueueFull):
            pool.add()
        transaction.set_rollback(True)


@pytest.mark.parametrize("ask", ["add", "get", "jobs", "metrics", "wait"])
def test_whoever_asks_first_notices_that_the_job_never_was(
    pool: Pool, caplog: pytest.LogCaptureFixture, ask: str
) -> None:
    lost = lose_the_callback(pool)

    calls: dict[str, Callable[[], object]] = {
        "add": pool.add,
        "get": lambda: pool.get(lost),
        "jobs": lambda: list(pool.jobs),
        "metrics": pool.metrics,
        "wait": lambda: pool.wait(lost, 1),
    }
    with contextlib.suppress(JobNotFound):
        calls[ask]()

    assert [record.job for record in caplog.records] == [lost]  # type: ignore[attr-defined]


def test_an_exception_in_our_own_callback_harms_no_other(
    pool: Pool, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[str] = []
    notes.also["add"] = lambda job_id: (_ for _ in ()).throw(Undo())

    with transaction.atomic():
        job_id = pool.add()
        transaction.on_commit(lambda: called.append("the next"))

    assert called == ["the next"]
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


def test_a_job_added_by_a_callback_after_the_commit_starts_at_once(pool: Pool, ran: list[int]) -> None:
    with transaction.atomic():
        transaction.on_commit(pool.add)

    until(lambda: ran, "the job to run")


# Cancel before the commit


def test_a_cancel_before_the_commit_shows_at_once_and_its_events_come_after_the_commit(
    pool: Pool, notes: Notes, ran: list[int]
) -> None:
    with transaction.atomic():
        job_id = pool.add()

        assert pool.cancel(job_id) is True

        info = pool.get(job_id)
        assert (info.status, info.error and info.error.kind) == ("FAILURE", "cancelled")
        assert pool.wait(job_id, 1) == info
        assert pool.cancel(job_id) is False
        assert notes.all == []

    until(lambda: notes.names(job_id) == ["add", "error"], "its events")
    pool.close()
    assert (ran, len(notes.all)) == ([], 2)
    assert pool.metrics()["failed"]["cancelled"] == 1


def test_a_cancelled_job_never_was_after_the_rollback(pool: Pool, notes: Notes) -> None:
    with pytest.raises(Undo), transaction.atomic():
        job_id = pool.add()
        pool.cancel(job_id)
        raise Undo

    assert never_was(pool, job_id)
    pool.close()
    assert notes.all == []
    assert pool.metrics()["failed"]["cancelled"] == 0


def test_a_cancel_before_the_commit_gives_the_place_back_at_once(pool: Pool) -> None:
    with transaction.atomic():
        pool.add()
        pool.cancel(pool.add())

        pool.add()


# Waiting


def test_waiting_for_a_job_of_ones_own_open_transaction_raises_at_once(pool: Pool) -> None:
    with transaction.atomic():
        job_id = pool.add()

        with pytest.raises(RuntimeError, match=f"Job {job_id} waits for this thread itself"):
            pool.wait(job_id)

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


@pytest.mark.parametrize("commits", [True, False])
def test_another_thread_may_wait_for_a_job_whose_transaction_is_open(pool: Pool, *, commits: bool) -> None:
    got: list[object] = []
    waiting = threading.Event()

    def wait(job_id: int) -> None:
        waiting.set()
        try:
            got.append(pool.wait(job_id, SECONDS).status)
        except JobNotFound as error:
            got.append(type(error))

    with transaction.atomic():
        thread = threading.Thread(target=wait, args=[pool.add()])
        thread.start()
        assert waiting.wait(SECONDS)
        thread.join(0.1)
        assert got == []
        transaction.set_rollback(not commits)

    thread.join(1)
    assert got == ["SUCCESS" if commits else JobNotFound]


def test_another_threads_wait_for_an_open_transaction_keeps_its_timeout(pool: Pool) -> None:
    errors: list[BaseException] = []

    def wait(job_id: int) -> None:
        with pytest.raises(TimeoutError) as error:
            pool.wait(job_id, 0.1)
        errors.append(error.value)

    with transaction.atomic():
        thread = threading.Thread(target=wait, args=[pool.add()])
        thread.start()
        thread.join(2)
        assert len(errors) == 1


# Autocommit off


@pytest.fixture
def manual() -> Iterator[None]:
    """The connection in manual transaction management."""
    connection.set_autocommit(False)
    yield
    if not connection.get_autocommit():
        connection.rollback()
        connection.set_autocommit(True)


@pytest.mark.usefixtures("manual")
def test_without_a_block_a_job_starts_at_once_with_autocommit_off(pool: Pool) -> None:
    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"


@pytest.mark.usefixtures("manual")
def test_with_autocommit_off_a_blocks_job_starts_when_the_commit_is_made(pool: Pool, ran: list[int]) -> None:
    with transaction.atomic():
        job_id = pool.add()
    assert pool.get(job_id).status == "WAITING"

    transaction.commit()
    transaction.set_autocommit(True)

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    assert ran == [job_id]


@pytest.mark.usefixtures("manual")
def test_with_autocommit_off_a_rollback_takes_a_blocks_job_back(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        job_id = pool.add()

    transaction.rollback()

    assert never_was(pool, job_id)
    assert caplog.records == []


# In handlers, and with other threads


def test_a_handlers_own_transaction_holds_the_jobs_it_adds(task: MakeTask, ran: list[int]) -> None:
    def handler(job_id: int, what: str) -> None:
        if what != "parent":
            ran.append(job_id)
            return
        try:
            with transaction.atomic():
                children["undone"] = pool.add("child")
                raise Undo
        except Undo:
            pass
        with transaction.atomic():
            children["done"] = pool.add("child")

    children: dict[str, int] = {}
    pool = task(handler)

    pool.wait(pool.add("parent"), SECONDS)
    pool.wait(children["done"], SECONDS)

    assert ran == [children["done"]]
    assert never_was(pool, children["undone"])


def test_two_threads_transactions_do_not_mix(site: Site, task: MakeTask, ran: list[int]) -> None:
    pool = task(ran.append, size=100)
    both = threading.Barrier(2)
    ids: dict[bool, int] = {}

    def add(*, commits: bool) -> None:
        # Each on a database of its own: SQLite has one writer at a time.
        database = "default" if commits else "other"
        try:
            with transaction.atomic(using=database):
                ids[commits] = pool.using(database=database).add()
                both.wait(SECONDS)
                transaction.set_rollback(not commits, using=database)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=add, kwargs={"commits": commits}) for commits in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)

    pool.wait(ids[True], SECONDS)
    assert never_was(pool, ids[False])
    assert ran == [ids[True]]
