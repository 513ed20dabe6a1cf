"""API: ending. The first to settle a run wins; what comes later is dropped."""

import threading
import time
from typing import Any, NoReturn

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot, current_job
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_run_that_starts_while_another_is_watched_keeps_its_own_deadline(
    site: Site, task: MakeTask
) -> None:
    pool = task(site.gate(), worker_nums=2, timeout=0.8)
    first = pool.add()
    site.gates[0].entered()
    time.sleep(0.4)

    infos = [pool.wait(job_id, SECONDS) for job_id in (first, pool.add())]

    for info in infos:
        assert info.ended_at is not None
        assert info.started_at is not None
        assert 0.8 <= (info.ended_at - info.started_at).total_seconds() < 1.1


@pytest.mark.slow
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


@pytest.mark.kinds("thread")  # a process is dead by then
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


@pytest.mark.kinds("thread")  # only here can a handler keep the clock from looking
@pytest.mark.parametrize("raises", [False, True])
def test_a_run_that_comes_back_late_has_timed_out_though_the_clock_could_not_look(
    task: MakeTask, monkeypatch: pytest.MonkeyPatch, *, raises: bool
) -> None:
    """F20: as when one call in C holds the GIL."""
    engine: Any = None

    def handler(job_id: int) -> str:
        late = lambda: time.monotonic() + 60  # noqa: E731
        monkeypatch.setattr(engine.ends, "monotonic", late)
        monkeypatch.setattr(engine.ends.clock, "monotonic", late)
        monkeypatch.setattr(engine.watch, "look", lambda now: now + 60)
        if raises:
            raise ValueError("too late")
        return "too late"

    pool = task(handler, timeout=10, attempts=2, give_up_on=["yao_tasks.errors.JobTimeout"])
    engine = boot.engine(pool.id)

    info = pool.wait(pool.add(), SECONDS)

    assert info.error is not None
    assert (info.error.kind, info.attempt) == ("timeout", 1)
    until(lambda: not engine.life.busy, "the worker to rest")
    assert (engine.life.stuck, engine.ends.cut_off) == (0, {})
