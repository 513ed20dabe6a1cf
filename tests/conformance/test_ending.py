"""API: ending. The first to settle a run wins; retries, deadlines, cancels, and what handlers may raise."""

import itertools
import logging
import threading
import time
from typing import Any, NoReturn

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.core.current import CurrentJob
from yao_tasks.pools import Pool


def fail(job_id: int, *args: object) -> NoReturn:
    raise ValueError("it failed")


def end_after(pool: Pool, job_id: int) -> None:
    """Wait until nothing of the job is under way any more: not its thread, not its events."""
    pool.wait(job_id, SECONDS)
    until(lambda: not pool.metrics()["stuck"], "threads to come back")
    pool.close()


# The first to settle wins


def test_a_late_return_after_a_cancel_is_dropped(site: Site, task: MakeTask, notes: Notes) -> None:
    gate = site.gate()
    pool = task(gate, event=notes.events())
    job_id = pool.add("late")
    gate.entered()
    pool.cancel(job_id)
    before = pool.get(job_id)

    gate.open()
    end_after(pool, job_id)

    assert pool.get(job_id) == before
    assert (before.status, before.error and before.error.kind) == ("FAILURE", "cancelled")
    assert pool.metrics()["succeeded"] == 0
    assert pool.metrics()["failed"] == {"raised": 0, "timeout": 0, "cancelled": 1, "lost": 0}


def test_a_late_exception_after_a_cancel_is_dropped_and_not_retried(task: MakeTask, notes: Notes) -> None:
    entered, go = threading.Event(), threading.Event()

    def handler(job_id: int) -> None:
        entered.set()
        assert go.wait(SECONDS)
        raise ValueError("late")

    pool = task(handler, attempts=3, attempt_after=0, event=notes.events())
    job_id = pool.add()
    assert entered.wait(SECONDS)
    pool.cancel(job_id)

    go.set()
    end_after(pool, job_id)

    info = pool.get(job_id)
    assert (info.attempt, info.error and info.error.kind) == (1, "cancelled")
    assert pool.metrics()["retried"] == 0
    assert notes.names(job_id) == ["add", "error"]


def test_a_slow_job_times_out_and_its_late_result_is_dropped(
    site: Site, task: MakeTask, notes: Notes
) -> None:
    gate = site.gate()
    pool = task(gate, timeout=0.05, event=notes.events())
    job_id = pool.add("late")
    info = pool.wait(job_id, SECONDS)

    gate.open()
    end_after(pool, job_id)

    assert (info.status, info.error and info.error.kind) == ("FAILURE", "timeout")
    assert pool.get(job_id) == info
    assert notes.names(job_id) == ["add", "error"]


def test_a_timed_out_run_is_not_retried_on_threads_and_the_text_says_why(
    site: Site, task: MakeTask, kind: str
) -> None:
    if kind != "thread":
        pytest.skip("only a thread can't be stopped")
    gate = site.gate()
    pool = task(gate, timeout=0.05, attempts=3, attempt_after=0)

    info = pool.wait(pool.add(), SECONDS)

    assert info.attempt == 1
    assert info.error is not None
    assert info.error.type == "yao_tasks.errors.JobTimeout"
    assert "0.05 s" in info.error.message
    assert "isn't tried again" in info.error.message
    assert "thread can't be stopped" in info.error.message
    assert info.response == info.error.message


def test_the_timeout_counts_from_the_runs_start_and_not_from_the_add(task: MakeTask) -> None:
    pool = task(lambda job_id: time.sleep(0.15), worker_nums=1, timeout=0.4)

    ids = [pool.add() for _ in range(4)]

    assert [pool.wait(job_id, SECONDS).status for job_id in ids] == ["SUCCESS"] * 4


def test_the_deadline_is_kept_within_half_a_second(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), timeout=0.2)

    info = pool.wait(pool.add(), SECONDS)

    assert info.ended_at is not None
    assert info.started_at is not None
    assert 0.2 <= (info.ended_at - info.started_at).total_seconds() < 0.7


def test_each_run_has_a_deadline_of_its_own(task: MakeTask) -> None:
    deadlines: list[Any] = []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        deadlines.append(job.deadline)
        time.sleep(0.1)
        fail(job_id)

    pool = task(handler, timeout=0.25, attempts=3, attempt_after=0)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.attempt, info.error and info.error.kind) == (4, "raised")
    assert deadlines == sorted(set(deadlines))
    assert len(deadlines) == 4


def test_a_job_whose_run_was_settled_is_told_so(site: Site, task: MakeTask) -> None:
    jobs: list[CurrentJob | None] = []
    gate = site.gate()

    def handler(job_id: int) -> None:
        jobs.append(current_job())
        gate(job_id)

    pool = task(handler)
    job_id = pool.add()
    gate.entered()
    (job,) = jobs
    assert job is not None
    assert not job.cancelled

    pool.cancel(job_id)

    assert job.cancelled


# Retries


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


def test_a_waiting_job_that_is_cancelled_never_runs(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    ran: list[int] = []

    def handler(job_id: int) -> None:
        ran.append(job_id)
        gate(job_id)

    pool = task(handler, worker_nums=1)
    first, waiting, last = pool.add(), pool.add(), pool.add()
    gate.entered()

    assert pool.cancel(waiting) is True

    gate.open()
    pool.wait(last, SECONDS)
    assert ran == [first, last]
    info = pool.get(waiting)
    assert info.error is not None
    assert (info.status, info.attempt, info.started_at) == ("FAILURE", 0, None)
    assert (info.error.kind, info.error.type) == ("cancelled", "yao_tasks.errors.JobCancelled")
    assert info.response == info.error.message != ""


def test_cancelling_a_running_job_ends_it_at_once_whatever_its_thread_does(
    site: Site, task: MakeTask
) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add()
    gate.entered()

    assert pool.cancel(job_id) is True

    assert pool.get(job_id).status == "FAILURE"
    assert job_id not in pool.jobs


def test_cancelling_what_is_not_alive_is_false(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    twice, success = pool.add(), pool.add()
    gate.entered(2)
    pool.cancel(twice)
    gate.open()
    pool.wait(success, SECONDS)

    assert pool.cancel(twice) is False
    assert pool.cancel(success) is False
    assert pool.cancel(success + 1_000) is False
    assert pool.get(success).status == "SUCCESS"


def test_a_job_can_cancel_itself(task: MakeTask) -> None:
    pool = task(lambda job_id: pool.cancel(job_id))

    info = pool.wait(pool.add(), SECONDS)

    assert info.error is not None
    assert info.error.kind == "cancelled"


# What handlers raise


class TwoArguments(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "exception",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        MemoryError(),
        StopIteration(),
        RecursionError("too deep"),
        TwoArguments(1, 2),
        Unprintable(),
        BaseException("the base of all"),
        ValueError("a\x00b\ud800"),
    ],
    ids=lambda exception: type(exception).__name__,
)
def test_whatever_a_handler_raises_fails_its_job_only(
    task: MakeTask, notes: Notes, exception: BaseException
) -> None:
    def handler(job_id: int, *, fails: bool = False) -> None:
        if fails:
            raise exception

    pool = task(handler, worker_nums=1, event=notes.events("error"))

    info = pool.wait(pool.add(fails=True), SECONDS)
    after = [pool.wait(pool.add(), SECONDS).status for _ in range(3)]
    pool.close()

    assert info.status == "FAILURE"
    assert info.error is not None
    assert info.error.kind == "raised"
    assert info.error.type.endswith(type(exception).__qualname__)
    assert info.error.message
    assert after == ["SUCCESS"] * 3
    assert [note.values[0] for note in notes.all] == [exception]


def test_system_exit_is_retried_as_any_failure(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise SystemExit

    pool = task(handler, attempts=2, attempt_after=0)

    assert pool.wait(pool.add(), SECONDS).attempt == 3


def test_a_failure_keeps_text_that_names_the_handlers_own_lines_and_not_ours(task: MakeTask) -> None:
    pool = task(fail)

    error = pool.wait(pool.add(), SECONDS).error

    assert error is not None
    assert (error.kind, error.type, error.message) == ("raised", "ValueError", "it failed")
    assert error.traceback.rstrip().endswith("ValueError: it failed")
    assert 'raise ValueError("it failed")' in error.traceback
    assert "yao_tasks/core" not in error.traceback


def test_the_text_of_a_deep_recursion_is_bounded(task: MakeTask) -> None:
    def recurse(job_id: int) -> None:
        recurse(job_id)

    pool = task(recurse)

    error = pool.wait(pool.add(), SECONDS).error

    assert error is not None
    assert error.type == "RecursionError"
    assert len(error.traceback) <= 65 * 1024


# The log


def test_a_final_failure_is_one_error_line_with_exc_info_and_a_retry_a_warning(
    task: MakeTask, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(fail, "mail.welcome", attempts=1, attempt_after=0)

    with caplog.at_level(logging.DEBUG, "yao_tasks"):
        job_id = pool.add("hunter2")
        pool.wait(job_id, SECONDS)
        pool.close()

    lines = [(record.levelname, record.attempt) for record in caplog.records]  # type: ignore[attr-defined]
    assert lines == [("WARNING", 1), ("ERROR", 2)]
    assert {(record.task, record.job) for record in caplog.records} == {("mail.welcome", job_id)}  # type: ignore[attr-defined]
    assert caplog.records[-1].exc_info is not None
    assert "hunter2" not in caplog.text


def test_texts_of_tasks_can_not_forge_log_lines(task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("first\nERROR forged\x1b[31m\r")

    pool = task(handler, attempts=1, attempt_after=0)

    with caplog.at_level(logging.DEBUG, "yao_tasks"):
        pool.wait(pool.add(), SECONDS)
        pool.close()

    for record in caplog.records:
        assert not set("\n\r\x1b") & set(record.getMessage())
        assert r"first\nERROR forged\x1b[31m\r" in record.getMessage()


def test_a_cancel_is_no_error_line(site: Site, task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    gate = site.gate()
    pool = task(gate)
    with caplog.at_level(logging.WARNING, "yao_tasks"):
        job_id = pool.add()
        gate.entered()
        pool.cancel(job_id)
        gate.open()
        end_after(pool, job_id)

    assert caplog.records == []
