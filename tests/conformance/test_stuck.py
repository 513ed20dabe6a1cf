"""API: workers that hang. They are let go, counted, replaced up to a number, and taken back when they return."""

import logging
import threading
import time
from datetime import datetime
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot, current_job
from yao_tasks.errors import PoolSaturated, QueueFull
from yao_tasks.pools import Pool


class Hang:
    """A handler that hangs until it is told, or answers at once."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.came = threading.Semaphore(0)

    def __call__(self, job_id: int, *args: object) -> object:
        if args:
            return args[0]
        self.came.release()
        return self.hang_here()

    def hang_here(self) -> str:
        assert self.release.wait(2 * SECONDS)
        return "late"


@pytest.fixture
def task(stubborn_task: MakeTask) -> MakeTask:
    """A coroutine hangs only where it swallows its cancel."""
    return stubborn_task


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Any:
    # Nobody comes back by himself here: replaced soon, so that little is waited for.
    monkeypatch.setattr("yao_tasks.core.ends.GRACE", 0.02)
    hang = Hang()
    yield hang
    hang.release.set()


def stick(pool: Pool, count: int) -> list[int]:
    """Have so many runs time out whose threads go on."""
    ids = [pool.using(timeout=0.05).add() for _ in range(count)]
    for job_id in ids:
        assert pool.wait(job_id, SECONDS).status == "FAILURE"
    return ids


@pytest.mark.kinds("thread", "async")  # a process is killed: nothing goes on after its end
def test_a_stuck_worker_is_counted_and_replaced(task: MakeTask, hang: Hang) -> None:
    pool = task(hang, worker_nums=1)

    stick(pool, 1)

    assert pool.metrics()["stuck"] == 1
    assert pool.wait(pool.add("next"), SECONDS).response == "next"
    assert (pool.metrics()["stuck"], pool.metrics()["workers"], pool.metrics()["running"]) == (1, 2, 0)


@pytest.mark.kinds("thread", "async")  # a process is killed: nothing goes on after its end
def test_an_idle_pool_whose_workers_all_hang_still_takes_jobs(
    task: MakeTask, hang: Hang, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(hang, worker_nums=2)
    stick(pool, 2)
    # Their places were given away while there was no job for others.
    engine: Any = boot.engine(pool.id)
    until(lambda: engine.life.replaced == 2, "both to be given away")

    assert pool.wait(pool.add("next"), SECONDS).response == "next"
    assert "no more are replaced" not in caplog.text


@pytest.mark.kinds("thread", "async")  # a process is killed: nothing goes on after its end
def test_a_cancel_leaves_a_stuck_worker_too(task: MakeTask, hang: Hang) -> None:
    pool = task(hang, worker_nums=1)
    job_id = pool.add()
    assert hang.came.acquire(timeout=SECONDS)

    pool.cancel(job_id)

    assert pool.metrics()["stuck"] == 1
    assert pool.wait(pool.add("next"), SECONDS).response == "next"


@pytest.mark.kinds("thread")  # only threads go on after their end
def test_all_workers_work_while_no_more_are_stuck_than_are_replaced(
    site: Site, task: MakeTask, hang: Hang
) -> None:
    gate = site.gate()
    pool = task(lambda job_id, *args: gate(job_id) if args else hang(job_id), worker_nums=3)
    stick(pool, 3)

    for _ in range(3):
        pool.add("work")

    gate.entered(3)
    assert (pool.metrics()["running"], pool.metrics()["stuck"]) == (3, 3)


@pytest.mark.kinds("thread", "async")  # a process is killed: nothing goes on after its end
def test_a_worker_that_comes_back_is_taken_back(task: MakeTask, hang: Hang) -> None:
    pool = task(hang, worker_nums=2)
    stick(pool, 2)
    pool.wait(pool.add("next"), SECONDS)

    hang.release.set()

    until(lambda: pool.metrics()["stuck"] == 0, "them to come back")
    until(lambda: pool.metrics()["workers"] <= 2, "those that are too many to leave")
    for _ in range(10):
        assert pool.wait(pool.add("next"), SECONDS).response == "next"
    assert pool.metrics()["workers"] <= 2


def test_one_that_comes_back_soon_is_not_replaced(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        until(lambda: job.cancelled, "the deadline")

    pool = task(handler, worker_nums=1)

    for _ in range(3):
        assert pool.wait(pool.using(timeout=0.05).add(), SECONDS).status == "FAILURE"
        until(lambda: pool.metrics()["stuck"] == 0, "it to come back")
        assert pool.metrics()["workers"] == 1


@pytest.mark.kinds("thread", "async")  # a process is killed: nothing goes on after its end
def test_the_stacks_of_stuck_workers_are_shown(task: MakeTask, kind: str, hang: Hang) -> None:
    pool = task(hang, worker_nums=2)
    assert pool.metrics()["stacks"] == []

    job_id, other = stick(pool, 2)

    stacks = pool.metrics()["stacks"]
    assert len(stacks) == 2
    where = (
        ("hang_here", "self.release.wait") if not kind.endswith("async") else ("in coroutine", "asyncio.wait")
    )
    assert all(text in stack for stack in stacks for text in where)
    assert f"run 1 of job {job_id}" in stacks[0] + stacks[1]
    assert f"run 1 of job {other}" in stacks[0] + stacks[1]
    hang.release.set()
    until(lambda: pool.metrics()["stacks"] == [], "them to come back")


@pytest.mark.kinds("thread")  # only threads go on after their end
def test_beyond_the_cap_nothing_is_replaced_and_add_is_refused_until_one_is_back(
    task: MakeTask, hang: Hang, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(hang, worker_nums=2)
    stick(pool, 2)
    more = [pool.using(timeout=0.05).add() for _ in range(4)]
    until(lambda: pool.metrics()["stuck"] == 4, "all to be stuck")

    with pytest.raises(PoolSaturated) as error:
        pool.add("next")

    assert isinstance(error.value, QueueFull)
    assert 'All 4 workers of "job" are stuck' in str(error.value)
    assert "metrics()" in str(error.value)
    with pytest.raises(PoolSaturated):
        pool.add_many([("next",)])
    assert pool.add_many([("next",)], partial=True) == [0]
    # Longer than a thread is given before it is replaced.
    time.sleep(0.1)
    assert (pool.metrics()["workers"], pool.metrics()["running"]) == (4, 0)
    assert [pool.get(job_id).status for job_id in more] == ["FAILURE"] * 2 + ["WAITING"] * 2
    hang.release.set()
    assert [pool.wait(job_id, SECONDS).status for job_id in more[2:]] == ["SUCCESS"] * 2
    until(lambda: pool.metrics()["workers"] == 2, "those that are too many to leave")
    assert pool.wait(pool.add("next"), SECONDS).response == "next"


@pytest.mark.kinds("thread")  # only threads go on after their end
@pytest.mark.slow
def test_saturation_is_one_error_line_with_all_stacks(
    task: MakeTask, hang: Hang, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(hang, worker_nums=2)

    def lines() -> list[logging.LogRecord]:
        # A job's own failure is an ERROR line, too, of that job.
        return [record for record in caplog.records if record.levelname == "ERROR" and record.job is None]  # type: ignore[attr-defined]

    stick(pool, 2)
    # Two of four hang, the other two are ready to work: no line.
    assert pool.wait(pool.add("next"), SECONDS).response == "next"
    time.sleep(0.1)
    assert lines() == []
    stick(pool, 2)

    [line] = until(lines, "the line")
    time.sleep(0.1)
    assert lines() == [line]
    assert line.task == "job"  # type: ignore[attr-defined]
    assert line.getMessage().startswith("job: all 4 workers are stuck")
    assert line.getMessage().count("in hang_here") == 4
    hang.release.set()


@pytest.mark.kinds("thread")  # only threads go on after their end
@pytest.mark.slow
def test_a_pool_that_hangs_again_after_it_came_back_says_so_again(
    task: MakeTask, hang: Hang, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(hang, worker_nums=1)

    for count in (1, 2):
        stick(pool, 2)
        until(
            lambda count=count: (
                len([one for one in caplog.records if "workers are stuck" in one.message]) == count
            )
        )
        hang.release.set()
        until(lambda: not pool.metrics()["stuck"], "them to come back")
        hang.release.clear()


@pytest.mark.kinds("thread")  # only threads go on after their end
def test_a_stuck_worker_takes_no_place_of_those_that_work(task: MakeTask, hang: Hang) -> None:
    pool = task(hang, worker_nums=1, size=1)
    stick(pool, 1)
    until(lambda: pool.wait(pool.add("next"), SECONDS), "it to be replaced")
    pool.pause()

    pool.add("waits")

    with pytest.raises(QueueFull) as error:
        pool.add("one too many")
    assert not isinstance(error.value, PoolSaturated)


@pytest.mark.slow
@pytest.mark.parametrize("event", ["success", "error"])
def test_events_that_hang_are_given_up_outside_the_cap(
    task: MakeTask, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    monkeypatch.setattr("yao_tasks.core.watch.SLOW_SECONDS", 0.05)
    monkeypatch.setattr("yao_tasks.core.watch.HUNG_SECONDS", 0.1)
    go, came = threading.Event(), threading.Semaphore(0)

    def on_end(job_id: int, value: object) -> None:
        if hanging:
            came.release()
            assert go.wait(SECONDS)

    def handler(job_id: int) -> str:
        if event == "error":
            raise ValueError
        return "done"

    hanging = [True]
    pool = task(handler, worker_nums=1, timeout=0.5, event={event: on_end})
    # More than the one that may be replaced where a handler hangs.
    for number in range(1, 4):
        job_id = pool.add()
        assert came.acquire(timeout=SECONDS)
        assert pool.get(job_id).is_finished
        until(lambda number=number: pool.metrics()["stuck"] == number, "its thread to be given up")
    hanging.clear()

    assert pool.wait(pool.add(), SECONDS).is_finished

    until(lambda: pool.metrics()["workers"] == 4, "the last to be replaced")
    go.set()
    until(lambda: pool.metrics()["stuck"] == 0, "them to come back")
    until(lambda: pool.metrics()["workers"] == 1, "those that are too many to leave")
    assert pool.wait(pool.add(), SECONDS).is_finished


# What the handler sees


@pytest.mark.kinds("thread")  # only threads go on after their end
def test_a_run_sees_that_it_was_settled(task: MakeTask) -> None:
    seen: list[tuple[bool, bool]] = []
    came: list[int] = []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        before = job.cancelled
        came.append(job_id)
        until(lambda: job.cancelled, "the cancel")
        seen.append((before, job.stopping))

    pool = task(handler)
    times_out, cancelled = pool.using(timeout=0.3).add(), pool.add()
    until(lambda: len(came) == 2, "both to run")
    pool.cancel(cancelled)

    until(lambda: len(seen) == 2, "both to see it")
    assert seen == [(False, False)] * 2
    assert pool.wait(times_out, SECONDS).status == "FAILURE"


@pytest.mark.kinds("thread")  # only threads go on after their end
def test_a_run_that_is_followed_by_another_sees_that_it_was_settled(task: MakeTask) -> None:
    seen: list[int] = []

    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            until(lambda: job.cancelled, "the deadline")
            seen.append(job.attempt)
        assert not job.cancelled or job.attempt == 1
        return "done"

    pool = task(
        handler,
        worker_nums=2,
        timeout=0.1,
        attempts=1,
        attempt_after=0,
        retry_on=["yao_tasks.errors.JobTimeout"],
    )

    assert pool.wait(pool.add(), SECONDS).response == "done"
    until(lambda: seen == [1], "the first run to see it")


def test_a_run_knows_its_deadline(task: MakeTask) -> None:
    def handler(job_id: int) -> Any:
        job = current_job()
        assert job is not None
        return str(job.deadline)

    pool = task(handler, timeout=5)

    for adder, seconds in ((pool, 5), (pool.using(timeout=60), 60), (pool.using(timeout=0.5), 0.5)):
        info = pool.wait(adder.add(), SECONDS)
        assert info.started_at is not None
        deadline = datetime.fromisoformat(info.response)
        assert deadline.utcoffset() is not None
        assert abs((deadline - info.started_at).total_seconds() - seconds) < 0.001


def test_there_is_no_deadline_before_the_first_run(task: MakeTask) -> None:
    seen: list[object] = []

    def on_add(job_id: int) -> None:
        job = current_job()
        assert job is not None
        seen.append((job.deadline, job.attempt, job.cancelled, job.stopping))

    pool = task(lambda job_id: None, event={"add": on_add})

    pool.add()

    assert seen == [(None, 0, False, False)]
