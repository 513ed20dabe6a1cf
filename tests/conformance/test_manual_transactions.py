"""API: adding with autocommit off, in a handler's own transaction, and in two at once."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection, connections, transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site
from yao_tasks.errors import JobNotFound
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
