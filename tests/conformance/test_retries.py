"""API: ending. Failures are retried as the definition says, and counted exactly."""

import itertools
import threading
import time
from typing import NoReturn

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, until
from yao_tasks import current_job
from yao_tasks.pools import Pool


def fail(job_id: int, *args: object) -> NoReturn:
    raise ValueError("it failed")


def end_after(pool: Pool, job_id: int) -> None:
    """Wait until nothing of the job is under way any more: not its thread, not its events."""
    pool.wait(job_id, SECONDS)
    until(lambda: not pool.metrics()["stuck"], "threads to come back")
    pool.close()


# The first to settle wins


@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_a_job_that_always_fails_runs_attempts_plus_one_times(
    task: MakeTask, notes: Notes, attempts: int
) -> None:
    runs: list[int] = []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        runs.append(job.attempt)
        fail(job_id)

    pool = task(handler, attempts=attempts, attempt_after=0, event=notes.events("error"))

    job_id = pool.add()
    end_after(pool, job_id)

    assert runs == list(range(1, attempts + 2))
    assert pool.get(job_id).attempt == attempts + 1
    assert pool.metrics()["retried"] == attempts
    assert pool.metrics()["started"] == attempts + 1
    assert notes.names(job_id) == ["error"]


def test_attempt_after_is_waited_for_before_each_retry(task: MakeTask) -> None:
    starts: list[float] = []

    def handler(job_id: int) -> None:
        starts.append(time.monotonic())
        fail(job_id)

    pool = task(handler, attempts=2, attempt_after=100)

    pool.wait(pool.add(), SECONDS)

    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert len(gaps) == 2
    assert all(0.1 <= gap < 0.4 for gap in gaps), gaps


def test_a_job_between_two_runs_waits_and_says_when_it_is_due(task: MakeTask) -> None:
    pool = task(fail, attempts=1, attempt_after=60_000)
    job_id = pool.add()
    info = until(lambda: (info := pool.get(job_id)).due_at and info, "the failed run")

    assert (info.status, info.attempt, info.error, info.response) == ("WAITING", 1, None, None)
    assert info.ended_at is None
    assert 59 < (info.due_at - info.started_at).total_seconds() < 66
    assert job_id in pool.jobs
    assert pool.metrics()["delayed"] == pool.metrics()["waiting"] == 1


def test_a_job_between_two_runs_holds_no_worker(task: MakeTask) -> None:
    def handler(job_id: int, *, fails: bool) -> None:
        if fails:
            fail(job_id)

    pool = task(handler, worker_nums=1, attempts=1, attempt_after=60_000)
    pool.add(fails=True)

    assert pool.wait(pool.add(fails=False), SECONDS).status == "SUCCESS"


def test_a_job_cancelled_between_two_runs_never_runs_again(task: MakeTask, notes: Notes) -> None:
    runs: list[int] = []

    def handler(job_id: int) -> None:
        runs.append(job_id)
        fail(job_id)

    pool = task(handler, attempts=3, attempt_after=50, event=notes.events())
    job_id = pool.add()
    until(lambda: pool.get(job_id).due_at, "the failed run")

    assert pool.cancel(job_id)

    # Its retry would have been due by then.
    time.sleep(0.1)
    end_after(pool, job_id)
    info = pool.get(job_id)
    assert (info.attempt, info.error and info.error.kind) == (1, "cancelled")
    assert (len(runs), pool.metrics()["delayed"]) == (1, 0)
    assert notes.names(job_id) == ["add", "error"]


def test_a_new_run_begins_without_the_last_ones_progress(task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            job.progress(9, 10, "first run")
            fail(job_id)
        entered.set()
        assert go.wait(SECONDS)

    pool = task(handler, attempts=1, attempt_after=0)
    job_id = pool.add()
    assert entered.wait(SECONDS)

    info = pool.get(job_id)

    assert (info.attempt, info.current, info.total, info.message) == (2, 0, 0, "")
    go.set()


# Cancel
