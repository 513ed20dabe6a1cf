"""Durable jobs that are coroutines, and such that run in processes."""

import asyncio
from typing import Any

import pytest

from tests.conftest import Site, until
from tests.durable.conftest import Durable, Rows, work
from yao_tasks.errors import JobNotFound
from yao_tasks.pools import tasks


async def say(job_id: int, name: str) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"hello": name}


async def hang(job_id: int) -> None:
    await asyncio.sleep(60)


def test_a_coroutine_runs_durably(durable: Durable, rows: Rows) -> None:
    pool = durable(say, worker_nums=50)
    work()

    ids = pool.add_many([(str(number),) for number in range(100)])

    ended = list(pool.as_completed(ids, 20))
    assert sorted(info.response["hello"] for info in ended) == sorted(str(number) for number in range(100))
    assert rows.all().filter(status=3).count() == 100


def test_a_coroutine_that_takes_too_long_is_cancelled_and_tried_again(durable: Durable, rows: Rows) -> None:
    pool = durable(hang, timeout=0.1, attempts=1)
    work()

    info = pool.wait(pool.add(), 10)

    assert info.error is not None
    assert (info.status, info.error.kind, info.attempt) == ("FAILURE", "timeout", 2)


def test_a_coroutine_is_cancelled(durable: Durable, rows: Rows) -> None:
    pool = durable(hang)
    work()
    job_id = pool.add()
    until(lambda: pool.metrics()["running"], "the run")

    assert pool.cancel(job_id)

    until(lambda: not pool.metrics()["running"], "the coroutine to be gone")
    assert pool.get(job_id).error.kind == "cancelled"  # type: ignore[union-attr]


@pytest.fixture
def processes(site: Site, journal: str, settings: Any) -> Durable:
    """Make a durable task whose jobs run in processes. Their handlers are those of `tests.children`."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "POLL_INTERVAL": 0.2}

    def make(name: str, **keys: Any) -> Any:
        return site.task(
            "job", print, process=f"tests.children.{name}", worker_type="process", durable=True, **keys
        )

    return make


@pytest.mark.slow
def test_a_process_runs_a_job_durably(processes: Durable, rows: Rows) -> None:
    pool = processes("echo")  # type: ignore[arg-type]
    work()

    info = pool.wait(pool.add("ada", 3), 30)

    assert info.status == "SUCCESS"
    assert "ada" in str(info.response)


@pytest.mark.slow
def test_a_process_that_dies_costs_its_job_an_attempt(processes: Durable, rows: Rows) -> None:
    pool = processes("ends_its_process", attempts=1)  # type: ignore[arg-type]
    work()

    info = pool.wait(pool.add("SIGKILL"), 60)

    assert info.error is not None
    assert (info.status, info.error.kind, info.attempt) == ("FAILURE", "lost", 2)


@pytest.mark.slow
def test_a_process_is_killed_by_a_cancel(processes: Durable, rows: Rows) -> None:
    pool = processes("sleeps")  # type: ignore[arg-type]
    work()
    job_id = pool.add(60)
    until(lambda: pool.metrics()["running"], "the run", seconds=30)

    assert pool.cancel(job_id)

    until(lambda: not pool.metrics()["running"] and not pool.metrics()["stuck"], "its worker", seconds=20)
    assert pool.get(job_id).error.kind == "cancelled"  # type: ignore[union-attr]


@pytest.mark.slow
def test_what_a_process_adds_in_a_transaction_is_written_after_its_commit(
    processes: Durable, site: Site, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    site.task("other", lambda job_id, *args: args, durable=True, unique=True)
    pool = processes("adds_in_a_transaction")  # type: ignore[arg-type]
    work()

    tasks["other"].pause()
    rolled_back = pool.wait(pool.add("rollback"), 30).response
    first, twin = pool.wait(pool.add("twice"), 30).response
    tasks["other"].resume()

    assert tasks["other"].wait(first, 30).status == "SUCCESS"
    for never_was in (rolled_back, twin):
        with pytest.raises(JobNotFound):
            tasks["other"].get(never_was)
    assert f"other: jobs [{twin}], which a process worker added" in caplog.text
    assert pool.wait(pool.add("rollback"), 30).status == "SUCCESS"
