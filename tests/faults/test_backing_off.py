"""Failures that are followed by another run, later and later, by a clock that the test moves."""

from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks import boot, current_job, house
from yao_tasks.core.clock import Clock
from yao_tasks.pools import Pool


class Hands:
    """A clock's hands. `turn` moves them, and wakes who sleeps by them."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def turn(self, clock: Clock, now: float) -> None:
        self.now = now
        clock.at(self.now, lambda: None)


class Trial:
    """A task whose jobs fail so many times, run by a clock that stands still."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> None:
        self.hands = Hands()
        monkeypatch.setattr(house, "Clock", lambda **keys: Clock(self.hands, **keys))
        self.starts: list[float] = []
        self.pool: Pool = site.task("job", self._work, attempts=3, worker_nums=1, timeout=86_400, **keys)
        engine: Any = boot.engine("job")
        self.clock: Clock = engine.home.clock

    def run(self, failing: int, error: type[Exception] = ValueError) -> str:
        """Run a job that fails so many times; its end's status."""
        self.starts.clear()
        job_id = self.pool.add(failing, error)
        while not self.pool.get(job_id).is_finished:
            due = until(lambda: self.due(job_id), "the end of the run")
            if due == "ended":
                break
            self._nearly(job_id, due)
        return self.pool.wait(job_id, SECONDS).status

    def due(self, job_id: int) -> Any:
        engine: Any = boot.engine("job")
        if self.pool.get(job_id).is_finished:
            return "ended"
        return engine.find(job_id).due

    def _nearly(self, job_id: int, due: float) -> None:
        runs = len(self.starts)
        self.hands.turn(self.clock, self.hands.now + (due - self.hands.now) * 0.999)
        marker = self.pool.add(0, ValueError)
        assert self.pool.wait(marker, SECONDS).status == "SUCCESS"
        # Not a moment too soon.
        assert len(self.starts) == runs + 1
        self.starts.pop()
        self.hands.turn(self.clock, due)
        until(lambda: len(self.starts) > runs, "the next run")

    def _work(self, job_id: int, failing: int, error: type[Exception]) -> None:
        self.starts.append(self.hands.now)
        job = current_job()
        assert job is not None
        if job.attempt <= failing:
            raise error

    @property
    def gaps(self) -> list[float]:
        """Seconds from each run's start to the next."""
        return [after - before for before, after in zip(self.starts, self.starts[1:], strict=False)]


@pytest.mark.parametrize("failing", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(
    ("keys", "plain"),
    [
        ({"attempt_after": 60_000}, [60, 60, 60]),
        ({"attempt_after": 60_000, "backoff": "exponential"}, [60, 120, 240]),
        ({"attempt_after": 60_000, "backoff": "exponential", "attempt_max_after": 90_000}, [60, 90, 90]),
        ({"attempt_after": 604_800_000, "backoff": "exponential"}, [3_600, 3_600, 3_600]),
    ],
    ids=["fixed", "exponential", "bounded", "an hour at most by default"],
)
def test_a_job_runs_once_more_than_it_fails_and_waits_as_the_policy_says(
    site: Site, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], plain: list[float], failing: int
) -> None:
    """F29."""
    trial = Trial(site, monkeypatch, **keys)

    status = trial.run(failing)

    assert (status, len(trial.starts)) == ("SUCCESS" if failing < 4 else "FAILURE", min(failing, 3) + 1)
    assert trial.gaps == [pytest.approx(one, rel=0.1) for one in plain[: min(failing, 3)]]


@pytest.mark.parametrize("error", [KeyError, LookupError, ZeroDivisionError])
def test_what_is_given_up_on_runs_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """F29."""
    trial = Trial(site, monkeypatch, attempt_after=1_000, give_up_on=["builtins.LookupError"])

    status = trial.run(9, error)

    assert (status, len(trial.starts)) == ("FAILURE", 4 if error is ZeroDivisionError else 1)
