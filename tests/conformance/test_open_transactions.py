"""API: what can be done to a job before its commit, and what becomes of it where the commit goes astray."""

import contextlib
import gc
import logging
import threading
from collections.abc import Callable

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, until
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


# Commit


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
