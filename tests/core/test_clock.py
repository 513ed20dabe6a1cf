"""The clock: what it looks at when, and that it sleeps while nothing runs."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks import boot
from yao_tasks.core.clock import Clock


class Pool:
    """Something that is watched; answers what the test says."""

    def __init__(self, *answers: float | None) -> None:
        self.watched = False
        self.answers = list(answers)
        self.looks: list[float] = []
        self.flags: list[bool] = []

    def look(self, now: float) -> float | None:
        self.looks.append(now)
        self.flags.append(self.watched)
        answer = self.answers.pop(0) if self.answers else None
        return None if answer is None else now + answer


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    clock.start()
    yield clock
    clock.stop()


def test_what_is_due_is_called_in_the_order_of_its_moments(clock: Clock) -> None:
    called: list[str] = []
    now = time.monotonic()

    for name, seconds in (("third", 0.06), ("first", 0.02), ("second", 0.04), ("at once", -1.0)):
        clock.at(now + seconds, lambda name=name: called.append(name))

    until(lambda: len(called) == 4)
    assert called == ["at once", "first", "second", "third"]


def test_nothing_is_called_before_it_is_due(clock: Clock) -> None:
    due, called = time.monotonic() + 0.05, threading.Event()
    moments: list[float] = []

    clock.at(due, lambda: (moments.append(time.monotonic()), called.set()))

    assert called.wait(10)
    assert moments[0] >= due


def test_a_pool_is_looked_at_when_it_says_and_dropped_when_nothing_runs(clock: Clock) -> None:
    pool = Pool(0.03, 0.03, None)

    clock.watch(pool)

    until(lambda: len(pool.looks) == 3 and not pool.watched)
    gaps = [after - before for before, after in zip(pool.looks, pool.looks[1:], strict=False)]
    assert min(gaps) >= 0.03


def test_the_flag_is_down_while_the_clock_looks_so_that_a_start_just_then_is_not_missed(clock: Clock) -> None:
    pool = Pool(0.01, None)

    clock.watch(pool)

    until(lambda: len(pool.flags) == 2)
    assert pool.flags == [False, False]


def test_a_clock_with_nothing_to_do_never_wakes_up(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(None)
    clock.watch(pool)
    until(lambda: pool.looks)
    turns: list[object] = []
    monkeypatch.setattr(clock, "_turn", turns.append)

    time.sleep(0.3)

    assert turns == []


def test_an_error_of_its_own_does_not_end_the_clock(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    called = threading.Event()

    clock.at(0.0, lambda: 1 / 0)
    clock.at(0.0, called.set)

    assert called.wait(10)
    assert "please report it" in caplog.text


def test_a_moment_beyond_what_a_lock_can_wait_for_is_no_error(clock: Clock) -> None:
    called = threading.Event()

    clock.at(1e18, lambda: None)
    clock.at(0.0, called.set)

    assert called.wait(10)


def test_a_pool_with_a_job_now_and_then_does_not_wake_the_clock_for_each(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = site.task("job", lambda job_id: None)
    pool.wait(pool.add(), SECONDS)
    clock, turns = boot.house().home.clock, []
    turn = clock._turn
    monkeypatch.setattr(clock, "_turn", lambda news: (turns.append(news), turn(news)))

    for _ in range(20):
        pool.wait(pool.add(), SECONDS)
        time.sleep(0.002)

    assert len(turns) <= 2


def test_a_pool_in_which_nothing_runs_is_left_alone_after_a_while(site: Site) -> None:
    pool = site.task("job", lambda job_id: None, timeout=0.05)

    for _ in range(2):
        pool.wait(pool.add(), SECONDS)
        clock = boot.house().home.clock

        until(lambda clock=clock: not clock.is_watching, "the clock to leave it alone")


@pytest.mark.slow
def test_a_run_that_starts_while_the_clock_still_watches_an_idle_pool_has_its_deadline(site: Site) -> None:
    gate = threading.Event()
    pool = site.task("job", lambda job_id, wait: gate.wait(SECONDS if wait else 0), timeout=0.3)
    pool.wait(pool.add(False), SECONDS)
    time.sleep(0.1)

    info = pool.wait(pool.add(True), SECONDS)
    gate.set()

    assert info.error is not None
    assert info.error.kind == "timeout"
    assert info.ended_at is not None
    assert info.started_at is not None
    assert (info.ended_at - info.started_at).total_seconds() >= 0.3
