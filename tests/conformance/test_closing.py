"""API: close. What it refuses, whom it tells, what it waits for, and what it answers."""

import logging
import threading
import time

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.core.current import CurrentJob
from yao_tasks.errors import JobLost, PoolClosed
from yao_tasks.pools import Pool


def closing(pool: Pool, timeout: float = SECONDS) -> tuple[threading.Thread, list[list[int]]]:
    """Close a pool in a thread; answers it, and the list that its answer is put into."""
    answers: list[list[int]] = []
    thread = threading.Thread(target=lambda: answers.append(pool.close(timeout)))
    thread.start()
    return thread, answers


def test_close_runs_what_waits_and_answers_that_nothing_is_left(task: MakeTask) -> None:
    pool = task(lambda job_id: time.sleep(0.005), worker_nums=2)
    ids = [pool.add() for _ in range(20)]

    assert pool.close(SECONDS) == []

    assert {pool.get(job_id).status for job_id in ids} == {"SUCCESS"}


def test_a_closed_pool_refuses_jobs_and_still_answers(task: MakeTask) -> None:
    pool = task(lambda job_id: "result")
    job_id = pool.add()
    pool.close()

    with pytest.raises(PoolClosed, match='The pool of "job" is closed'):
        pool.add()

    assert pool.get(job_id).response == "result"
    assert pool.metrics()["refused"] == 1
    assert pool.close() == []


def test_a_closing_pool_refuses_jobs_while_its_own_still_run(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    ids = [pool.add(), pool.add()]
    gate.entered()
    thread, answers = closing(pool)
    job = pool.jobs[ids[0]]

    def refused() -> bool:
        try:
            pool.add()
        except PoolClosed:
            return True
        return False

    until(refused, "the pool to be closing")
    assert job.status == "RUNNING"
    gate.open()
    thread.join(SECONDS)
    assert answers == [[]]
    # Those that were taken before it closed.
    assert {pool.get(job_id).status for job_id in ids} == {"SUCCESS"}


def test_running_jobs_are_told_at_once(site: Site, task: MakeTask) -> None:
    jobs: list[CurrentJob] = []
    gate = site.gate()

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        jobs.append(job)
        gate(job_id)

    pool = task(handler)
    pool.add()
    gate.entered()
    assert not jobs[0].stopping
    began = time.monotonic()
    thread, _ = closing(pool)

    until(lambda: jobs[0].stopping, "the job to be told")

    assert time.monotonic() - began < 0.5
    assert not jobs[0].cancelled
    gate.open()
    thread.join(SECONDS)


def test_what_is_left_at_the_deadline_is_answered_and_ends_as_lost(
    site: Site, task: MakeTask, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, event=notes.events())
    ids = [pool.add() for _ in range(3)]
    gate.entered()
    began = time.monotonic()

    with caplog.at_level(logging.ERROR, "yao_tasks"):
        left = pool.close(0.1)

    assert 0.1 <= time.monotonic() - began < 1
    assert left == ids
    for job_id in ids:
        info = pool.get(job_id)
        assert (info.status, info.error and info.error.kind) == ("FAILURE", "lost")
        assert info.error is not None
        assert info.error.type == "yao_tasks.errors.JobLost"
        assert notes.names(job_id) == ["add", "error"]
        assert isinstance(notes.of(job_id)[-1].values[0], JobLost)
    (line,) = caplog.records
    assert all(str(job_id) in line.getMessage() for job_id in ids)


def test_a_late_return_after_the_close_changes_nothing(site: Site, task: MakeTask, notes: Notes) -> None:
    gate = site.gate()
    pool = task(gate, event=notes.events())
    job_id = pool.add("late")
    gate.entered()
    pool.close(0)

    gate.open()
    until(lambda: not pool.metrics()["stuck"], "the late return")

    assert pool.get(job_id).response != "late"
    assert notes.names(job_id) == ["add", "error"]


def test_close_waits_for_events(task: MakeTask) -> None:
    done: list[str] = []

    def slow(job_id: int, value: object) -> None:
        time.sleep(0.1)
        done.append("event")

    pool = task(lambda job_id: None, event={"success": slow})
    pool.wait(pool.add(), SECONDS)

    pool.close(SECONDS)

    assert done == ["event"]


@pytest.mark.slow
def test_close_waits_for_the_events_of_cancelled_jobs(site: Site, task: MakeTask) -> None:
    done: list[str] = []

    def slow(job_id: int, value: object) -> None:
        time.sleep(0.1)
        done.append("event")

    gate = site.gate()
    pool = task(gate, worker_nums=1, event={"error": slow})
    pool.add()
    gate.entered()
    pool.cancel(pool.add())
    gate.open()

    pool.close(SECONDS)

    assert done == ["event"]


def test_a_retry_that_is_due_before_the_deadline_still_runs(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            raise ValueError

    pool = task(handler, attempts=1, attempt_after=50)
    job_id = pool.add()

    assert pool.close(SECONDS) == []

    assert (pool.get(job_id).status, pool.get(job_id).attempt) == ("SUCCESS", 2)


def test_a_retry_that_is_due_later_is_lost(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler, attempts=1, attempt_after=60_000)
    job_id = pool.add()
    until(lambda: pool.get(job_id).due_at, "the failed run")

    assert pool.close(0.05) == [job_id]

    info = pool.get(job_id)
    assert (info.attempt, info.error and info.error.kind) == (1, "lost")
    assert pool.metrics()["delayed"] == 0


def test_a_timeout_still_holds_while_closing(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), timeout=0.1)
    job_id = pool.add()

    assert pool.close(SECONDS) == []

    error = pool.get(job_id).error
    assert error is not None
    assert error.kind == "timeout"
