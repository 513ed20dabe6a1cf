"""Events that block, and retries that come when they are due."""

import threading
import time
from collections import Counter

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job, tasks


@pytest.mark.parametrize("event", ["success", "error", "progress"])
@pytest.mark.parametrize("seconds", [0.05, pytest.param(5.0, marks=pytest.mark.slow)])
def test_an_event_that_blocks_is_named_and_shown_and_harms_nobody(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    event: str,
    seconds: float,
) -> None:
    """F26."""
    monkeypatch.setattr("yao_tasks.core.watch.SLOW_SECONDS", seconds)
    go = threading.Event()
    told: list[int] = []

    def handler(job_id: int, *, fails: bool = False) -> None:
        job = current_job()
        assert job is not None
        job.progress(1, 2, "half")
        if fails:
            raise ValueError

    site.task("other", lambda job_id: None, event={"success": lambda job_id, result: told.append(job_id)})
    pool = site.task(
        "job", handler, worker_nums=1, event={event: lambda job_id, *values: go.wait(SECONDS)}, timeout=30
    )
    began = time.time()
    job_id = pool.add(fails=event == "error")

    # It is shown, named in the log once, with task and id.
    shown = until(lambda: pool.metrics()["slow_events"], "the event to be shown")
    assert shown[0].startswith(f"event.{event} of job {job_id}")
    until(lambda: [record for record in caplog.records if record.levelname == "WARNING"], "the line")
    lines = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [(line.task, line.job) for line in lines] == [("job", job_id)]  # type: ignore[attr-defined]
    assert f"event.{event}" in lines[0].getMessage()
    assert seconds <= lines[0].created - began < seconds + 1
    # Its job's state is not touched, and other pools' events come.
    assert pool.get(job_id).status == {"success": "SUCCESS", "error": "FAILURE", "progress": "RUNNING"}[event]
    other = tasks["other"].add()
    until(lambda: told == [other], "the other pool's event")
    go.set()
    assert pool.close() == []


def test_each_slow_event_of_a_busy_pool_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F26: the second of two, one after the other, as well."""
    monkeypatch.setattr("yao_tasks.core.watch.SLOW_SECONDS", 0.01)
    gate = site.gate()
    records = caplog.records  # of this test; while it is torn down `caplog` has others

    def handler(job_id: int, *, blocks: bool = False) -> bool:
        if blocks:
            gate(job_id)
        return blocks

    def named(job_id: int) -> bool:
        return any(f"job {job_id} has been running" in record.getMessage() for record in records)

    def slow(job_id: int, blocked: bool) -> None:
        if not blocked:
            until(lambda: named(job_id), "the line")

    pool = site.task("job", handler, event={"success": slow})
    pool.add(blocks=True)

    ids = [pool.add() for _ in range(5)]

    for job_id in ids:
        until(lambda job_id=job_id: named(job_id), "the line")


def test_delays_follow_the_policy_and_a_job_that_succeeds_at_last_has_run_once_more(site: Site) -> None:
    """F29: fixed waits."""
    runs: Counter[int] = Counter()

    def handler(job_id: int, failing: int) -> None:
        runs[failing] += 1
        job = current_job()
        assert job is not None
        if job.attempt <= failing:
            raise ValueError

    pool = site.task("job", handler, attempts=3, attempt_after=20, worker_nums=4)

    ids = {failing: pool.add(failing) for failing in range(5)}
    ended = {failing: pool.wait(job_id, SECONDS) for failing, job_id in ids.items()}

    assert {failing: info.attempt for failing, info in ended.items()} == {0: 1, 1: 2, 2: 3, 3: 4, 4: 4}
    assert dict(runs) == {0: 1, 1: 2, 2: 3, 3: 4, 4: 4}
    assert {failing: info.status for failing, info in ended.items()} == {
        **dict.fromkeys(range(4), "SUCCESS"),
        4: "FAILURE",
    }


@pytest.mark.parametrize("attempt_after", [500, 60_000, 604_800_000])
def test_a_retry_is_due_within_a_tenth_of_the_policy(site: Site, attempt_after: int) -> None:
    """F29: fixed waits, whatever their length."""
    raised: list[float] = []

    def handler(job_id: int) -> None:
        raised.append(time.time())
        raise ValueError

    pool = site.task("job", handler, attempts=3, attempt_after=attempt_after)
    job_id = pool.add()

    due = until(lambda: pool.get(job_id).due_at, "the failed run")

    assert 0.99 < (due.timestamp() - raised[0]) / (attempt_after / 1000) < 1.1
