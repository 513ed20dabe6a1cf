"""API: `metrics()`. What has happened, what is, and the last hour in figures."""

import threading
import time
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot
from yao_tasks.errors import QueueFull

KEYS = {
    "added": int,
    "started": int,
    "succeeded": int,
    "failed": dict,
    "retried": int,
    "refused": int,
    "waiting": int,
    "delayed": int,
    "running": int,
    "workers": int,
    "stuck": int,
    "stacks": list,
    "paused": bool,
    "oldest_waiting": float,
    "wait_time": dict,
    "run_time": dict,
    "minutes": list,
}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have a pool's clock go on by so many seconds, for what it measures from then on."""
    gone = [0.0]

    def go_on(pool: Any, seconds: float) -> None:
        gone[0] += seconds
        engine: Any = boot.engine(pool.id)
        now = lambda: time.monotonic() + gone[0]  # noqa: E731
        monkeypatch.setattr(engine, "monotonic", now)
        monkeypatch.setattr(engine.home.clock, "monotonic", now)
        monkeypatch.setattr(engine.ends, "monotonic", now)
        monkeypatch.setattr(engine.runner, "monotonic", now)

    return go_on


def test_each_number_is_there_of_its_type_and_zero_at_first(task: MakeTask) -> None:
    metrics = task(lambda job_id: None).metrics()

    assert {key: type(metrics[key]) for key in KEYS} == KEYS
    assert metrics["failed"] == {"raised": 0, "timeout": 0, "cancelled": 0, "lost": 0}
    assert all(metrics[key] == 0 for key, kind in KEYS.items() if kind in (int, float))
    zeros = {"avg": 0, "p50": 0, "p95": 0, "max": 0}
    assert (metrics["wait_time"], metrics["run_time"]) == (zeros, zeros)
    assert (metrics["paused"], metrics["stacks"], len(metrics["minutes"])) == (False, [], 60)


def test_what_happened_is_counted_by_kind(site: Site, stubborn_task: MakeTask) -> None:
    gate = site.gate()

    def handler(job_id: int, what: str = "") -> None:
        if what == "raises":
            raise ValueError
        if what:
            gate(job_id)

    pool = stubborn_task(
        handler,
        worker_nums=4,
        size=1,
        attempts=2,
        attempt_after=0,
        give_up_on=["yao_tasks.errors.JobTimeout"],
    )
    for what in ("", "raises"):
        pool.wait(pool.add(what), SECONDS)
    pool.wait(pool.using(timeout=0.05).add("hangs"), SECONDS)
    cancelled = pool.add("hangs")
    pool.cancel(cancelled)
    pool.pause()
    pool.add()
    with pytest.raises(QueueFull):
        pool.add()
    pool.close(0)

    metrics = pool.metrics()
    assert metrics["failed"] == {"raised": 1, "timeout": 1, "cancelled": 1, "lost": 1}
    assert (metrics["added"], metrics["succeeded"], metrics["retried"], metrics["refused"]) == (
        5,
        1,
        2,
        1,
    )
    assert 5 <= metrics["started"] <= 6
    assert sum(metrics["failed"].values()) + metrics["succeeded"] == metrics["added"]


def test_times_are_those_of_jobs_that_have_ended(site: Site, task: MakeTask, kind: str) -> None:
    pool = task(lambda job_id, seconds: time.sleep(seconds), worker_nums=1)
    pool.wait(pool.add(0), SECONDS)
    first, second = pool.add(0.1), pool.add(0)

    pool.wait(first, SECONDS), pool.wait(second, SECONDS)

    run, wait = pool.metrics()["run_time"], pool.metrics()["wait_time"]
    assert 0.1 <= run["max"] < 0.3
    assert 0.1 / 3 <= run["avg"] < 0.3 / 3
    assert 0 <= run["p50"] < 0.1 <= run["p95"] * 1.07
    assert run["p95"] <= run["max"]
    assert wait["max"] > 0.09
    # A worker's first job may wait for its process.
    assert kind.endswith("process") or (wait["p50"] < 0.09 and wait["max"] < 0.3)


def test_percentiles_are_exact_to_a_sixteenth(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    engine: Any = boot.engine(pool.id)
    spread = engine.times.current.run
    for milliseconds in range(1, 1_001):
        spread.add(milliseconds / 1_000)

    run = pool.metrics()["run_time"]

    assert run["p50"] == pytest.approx(0.5, rel=0.07)
    assert run["p95"] == pytest.approx(0.95, rel=0.07)
    assert (run["max"], run["avg"]) == (1.0, pytest.approx(0.5005))


@pytest.mark.slow
def test_the_time_of_a_delay_or_a_retry_is_no_waiting_time(task: MakeTask, kind: str) -> None:
    runs: list[int] = []

    def handler(job_id: int) -> None:
        runs.append(job_id)
        if len(runs) == 2:
            raise ValueError

    pool = task(handler, worker_nums=1, attempts=1, attempt_after=150)
    for _ in range(3):
        pool.wait(pool.using(run_after=0.15).add(), SECONDS)

    # A worker's first job may wait for its process.
    assert pool.metrics()["wait_time"]["p50" if kind.endswith("process") else "max"] < 0.14


def test_the_oldest_of_those_that_wait_for_a_worker_gives_its_age(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    pool.pause()
    assert pool.metrics()["oldest_waiting"] == 0
    delayed = pool.using(run_after=60).add()
    assert pool.metrics()["oldest_waiting"] == 0
    began = time.monotonic()
    oldest = pool.add()
    time.sleep(0.1)
    second = time.monotonic()
    pool.add()

    age = pool.metrics()["oldest_waiting"]

    assert 0.1 <= age <= time.monotonic() - began
    pool.cancel(oldest)
    assert pool.metrics()["oldest_waiting"] <= time.monotonic() - second
    pool.cancel(delayed)
    pool.resume()
    until(lambda: not pool.jobs, "all to run")
    assert pool.metrics()["oldest_waiting"] == 0


def test_a_delayed_job_that_is_due_now_does_not_hide_one_that_has_waited_longer(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    pool.pause()
    pool.using(run_after=0.2).add()
    pool.add()

    until(lambda: not pool.metrics()["delayed"], "it to be due")

    assert pool.metrics()["oldest_waiting"] > 0.15


@pytest.mark.kinds("thread")  # the clock of the engine is moved, a child's isn't
def test_minutes_are_sixty_the_oldest_first(task: MakeTask, later: Any) -> None:
    def handler(job_id: int, *, fails: bool = False) -> None:
        if fails:
            raise ValueError

    pool = task(handler, attempts=1, attempt_after=0)
    pool.wait(pool.add(), SECONDS)
    later(pool, 600)
    for fails in (False, False, True):
        pool.wait(pool.add(fails=fails), SECONDS)

    minutes = pool.metrics()["minutes"]

    assert [minute["minutes_ago"] for minute in minutes] == list(range(59, -1, -1))
    assert sum(minute["succeeded"] for minute in minutes) == 3
    # The test itself may begin just before a minute is over.
    assert sum(minute["succeeded"] for minute in minutes[-12:-9]) == 1
    assert sum(minute["succeeded"] for minute in minutes[-2:]) == 2
    assert sum(minute["failed"] for minute in minutes[-2:]) == 1
    assert sum(minute["retried"] for minute in minutes[-2:]) == 1


def test_what_is_older_than_an_hour_is_in_no_figure_but_the_counts(task: MakeTask, later: Any) -> None:
    pool = task(lambda job_id, seconds: time.sleep(seconds))
    pool.wait(pool.add(0.05), SECONDS)

    later(pool, 3_660)

    metrics = pool.metrics()
    assert metrics["succeeded"] == 1
    assert metrics["run_time"]["max"] == 0
    assert sum(minute["succeeded"] for minute in metrics["minutes"]) == 0


@pytest.mark.kinds("thread")  # the clock of the engine is moved, a child's isn't
def test_an_hour_of_many_jobs_keeps_no_job_and_sixty_minutes(task: MakeTask, later: Any) -> None:
    pool = task(lambda job_id: None, retention=0)
    engine: Any = boot.engine(pool.id)
    for _ in range(100):
        later(pool, 90)
        pool.add()
        until(lambda: not pool.jobs, "it to run")

    assert len(engine.times.minutes) <= 60
    assert sum(minute["succeeded"] for minute in pool.metrics()["minutes"]) in (39, 40, 41)


def test_asking_disturbs_nobody_while_jobs_run(task: MakeTask) -> None:
    pool = task(lambda job_id: None, worker_nums=4, size=10_000)
    stop, errors = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            metrics = pool.metrics()
            ended = metrics["succeeded"] + sum(metrics["failed"].values())
            if not 0 <= ended <= metrics["added"] or metrics["waiting"] < 0 or metrics["running"] < 0:
                errors.append(metrics)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(500):
            pool.add()
        until(lambda: not pool.jobs, "all to run")
    finally:
        stop.set()
        asker.join()

    assert errors == []
    assert pool.metrics()["succeeded"] == 500


def test_a_job_that_is_cancelled_between_two_runs_adds_no_time(task: MakeTask) -> None:
    def fail(job_id: int) -> None:
        raise ValueError

    pool = task(fail, attempts=1, attempt_after=60_000)
    job_id = pool.add()
    until(lambda: pool.metrics()["delayed"], "its retry")

    pool.cancel(job_id)

    metrics = pool.metrics()
    assert metrics["failed"]["cancelled"] == 1
    assert (metrics["run_time"]["max"], metrics["wait_time"]["max"]) == (0, 0)


def test_what_each_worker_has_done_is_told(task: MakeTask) -> None:
    began = time.time()
    pool = task(lambda job_id: None, worker_nums=1)
    for _ in range(3):
        pool.wait(pool.add(), 5)

    if pool.metrics()["worker_type"] == "async":
        until(lambda: not pool.metrics()["crew"])
        return
    until(lambda: pool.metrics()["crew"][0]["done"] == 3)
    (one,) = pool.metrics()["crew"]
    assert one == {"worker": "job-1", "job": None, "started": None, "done": 3, "since": one["since"]}
    assert began <= one["since"] <= time.time()
