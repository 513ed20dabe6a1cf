"""API: close. What it refuses, whom it tells, what it waits for, and what it answers."""

import logging
import threading
import time

import pytest
from django.db import transaction

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


def test_a_handler_that_adds_while_closing_is_refused(site: Site, task: MakeTask) -> None:
    gate = site.gate()

    def handler(job_id: int) -> str:
        gate(job_id)
        with pytest.raises(PoolClosed):
            pool.add()
        return "refused"

    pool = task(handler)
    job_id = pool.add()
    gate.entered()
    thread, _ = closing(pool)
    until(lambda: pool.get(job_id).status == "RUNNING" and not thread.join(0.01), "a moment")

    gate.open()
    thread.join(SECONDS)

    assert pool.get(job_id).response == "refused"


def test_a_handler_may_close_its_own_pool(task: MakeTask) -> None:
    answers: list[list[int]] = []
    pool = task(lambda job_id: answers.append(pool.close(0.05)))

    job_id = pool.add()

    until(lambda: answers, "the close to return")
    assert answers == [[job_id]]
    info = pool.get(job_id)
    assert info.error is not None
    assert info.error.kind == "lost"


@pytest.mark.parametrize("event", ["add", "success", "progress"])
def test_an_event_may_close_its_own_pool(
    task: MakeTask, caplog: pytest.LogCaptureFixture, event: str
) -> None:
    answers: list[list[int]] = []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(1, 2)

    pool = task(handler, event={event: lambda job_id, *values: answers.append(pool.close(0.05))})

    job_id = pool.add()

    until(lambda: answers, "the close to return")
    assert answers == [[] if event == "success" else [job_id]]
    assert "event." not in caplog.text


def test_an_error_event_that_closes_its_own_pool_returns(site: Site, task: MakeTask) -> None:
    answers: list[list[int]] = []
    gate = site.gate()
    pool = task(gate, event={"error": lambda job_id, error: answers.append(pool.close(0.05))})
    job_id = pool.add()
    gate.entered()

    pool.cancel(job_id)

    until(lambda: answers, "the close to return")
    assert answers == [[]]


def test_closing_again_while_an_event_hangs_leaves_no_thread_behind(
    site: Site, task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yao_tasks.engines.steering.LAST_WORDS", 0.01)
    entered, go = threading.Event(), threading.Event()

    def hang(job_id: int, error: object) -> None:
        entered.set()
        assert go.wait(SECONDS)

    gate = site.gate()
    pool = task(gate, worker_nums=1, event={"error": hang})
    pool.add()
    gate.entered()
    pool.cancel(pool.add())
    assert entered.wait(SECONDS)

    pool.close(0)
    pool.close(0)

    gate.open()
    go.set()
    until(lambda: not [t for t in threading.enumerate() if t.name.endswith("announcer")], "it to end")


def test_closing_an_unused_pool_is_quick_and_harmless(task: MakeTask) -> None:
    began = time.monotonic()

    assert task(lambda job_id: None).close() == []

    assert time.monotonic() - began < 1


def test_a_pool_may_be_closed_by_many_at_once(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=2)
    for _ in range(6):
        pool.add()
    closes = [closing(pool) for _ in range(4)]

    gate.open()

    for thread, answers in closes:
        thread.join(SECONDS)
        assert answers == [[]]


@pytest.mark.django_db(transaction=True)
def test_a_commit_after_the_close_ends_its_job_as_lost_with_its_events(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(ran.append, event=notes.events())
    with transaction.atomic():
        job_id = pool.add()
        left = pool.close(0.05)

    until(lambda: notes.names(job_id) == ["add", "error"], "its events")
    info = pool.get(job_id)
    assert info.error is not None
    assert (left, info.error.kind, ran) == ([job_id], "lost", [])


def test_an_add_that_is_still_in_its_event_when_the_pool_closes_is_not_lost_silently(
    task: MakeTask, notes: Notes
) -> None:
    entered, go = threading.Event(), threading.Event()

    def hold(job_id: int) -> None:
        entered.set()
        assert go.wait(SECONDS)

    notes.also["add"] = hold
    pool = task(lambda job_id: None, event=notes.events())
    adder = threading.Thread(target=pool.add)
    adder.start()
    assert entered.wait(SECONDS)
    (job_id,) = pool.jobs

    left = pool.close(0.05)

    go.set()
    adder.join(SECONDS)
    until(lambda: notes.names(job_id) == ["add", "error"], "its events")
    assert left == [job_id]
    assert pool.get(job_id).status == "FAILURE"
