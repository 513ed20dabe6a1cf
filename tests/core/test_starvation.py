"""The watch over the GIL."""

import time

import pytest

from tests.conftest import Site, until
from yao_tasks.core.starvation import Starvation


@pytest.mark.slow
def test_handlers_that_compute_are_named_within_two_seconds(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """L7."""
    done: list[int] = []

    def crunch(job_id: int) -> None:
        until_ = time.monotonic() + 4
        while time.monotonic() < until_ and not caplog.records:
            sum(range(1000))
        done.append(job_id)

    pool = site.task("crunch", crunch, worker_nums=10, timeout=60)
    for _ in range(10):
        pool.add()
    began = time.monotonic()

    until(lambda: caplog.records, "the warning")

    # 2 s on a quiet machine; a busy one may take twice as long.
    assert time.monotonic() - began < 4
    assert "crunch (" in caplog.records[0].getMessage()
    assert "worker_nums" in caplog.records[0].getMessage()
    until(lambda: len(done) == 10)
    assert len(caplog.records) == 1


@pytest.mark.slow
def test_handlers_that_wait_are_not_blamed(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    pool = site.task("nap", lambda job_id: time.sleep(1.2), worker_nums=10)
    for _ in range(10):
        pool.add()

    until(lambda: not pool.jobs)

    assert caplog.records == []


@pytest.mark.slow
def test_the_watch_sleeps_while_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    watch = Starvation(list, lambda: False)
    monkeypatch.setattr(watch, "_watch_for_a_while", lambda: looks.append(1))
    watch.attend()
    until(lambda: looks)
    time.sleep(0.1)
    seen = len(looks)

    time.sleep(0.3)
    watch.stop()

    assert len(looks) <= seen + 1
    assert watch._thread is not None
    assert not watch._thread.is_alive()
