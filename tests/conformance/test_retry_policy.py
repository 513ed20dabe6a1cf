"""API: ending. Which failures are retried, and after how long: what a definition says, and what a handler says."""

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, until
from yao_tasks import GiveUp, Retry, boot, current_job
from yao_tasks.core.retries import RetryPolicy
from yao_tasks.errors import JobTimeout
from yao_tasks.pools import Pool


class Stop(LookupError):
    """A failure of a kind of its own."""


def runs_of(task: MakeTask, error: Callable[[], BaseException], **keys: Any) -> int:
    """How often a job runs that always fails with this."""

    def handler(job_id: int) -> None:
        raise error()

    pool = task(handler, **{"attempts": 2, "attempt_after": 0, **keys})
    info = pool.wait(pool.add(), SECONDS)
    assert (info.status, info.error and info.error.kind) == ("FAILURE", "raised")
    return info.attempt


def waits(pool: Pool, job_id: int, count: int) -> list[float]:
    """The seconds for which a job that fails waits before each of its next runs. They are not waited for."""
    seconds = []
    for attempt in range(1, count + 1):
        info = until(
            lambda attempt=attempt: (info := pool.get(job_id)).attempt == attempt and info.due_at and info,
            f"failure {attempt}",
        )
        seconds.append((info.due_at - info.started_at).total_seconds())
        engine: Any = boot.engine(pool.id)
        engine.ends._due(job_id, engine.find(job_id).added, attempt)
    return seconds


# retry_on, give_up_on


@pytest.mark.parametrize(
    ("keys", "error", "runs"),
    [
        ({}, ValueError, 3),
        ({"retry_on": ["builtins.LookupError"]}, LookupError, 3),
        ({"retry_on": ["builtins.LookupError"]}, KeyError, 3),
        ({"retry_on": ["builtins.LookupError"]}, ValueError, 1),
        ({"retry_on": ["builtins.KeyError"]}, LookupError, 1),
        ({"retry_on": ["builtins.KeyError", "builtins.OSError"]}, ConnectionError, 3),
        ({"give_up_on": ["builtins.LookupError"]}, KeyError, 1),
        ({"give_up_on": ["builtins.LookupError"]}, ValueError, 3),
        ({"retry_on": ["builtins.LookupError"], "give_up_on": ["builtins.KeyError"]}, KeyError, 1),
        ({"retry_on": ["builtins.LookupError"], "give_up_on": ["builtins.KeyError"]}, IndexError, 3),
        ({"retry_on": ["builtins.KeyError"], "give_up_on": ["builtins.LookupError"]}, KeyError, 1),
        ({"retry_on": [f"{__name__}.Stop"]}, Stop, 3),
    ],
)
def test_subclasses_count_and_giving_up_wins(
    task: MakeTask, keys: dict[str, Any], error: type[Exception], runs: int
) -> None:
    assert runs_of(task, error, **keys) == runs


@pytest.mark.parametrize("keys", [{}, {"retry_on": ["yao_tasks.errors.GiveUp", "builtins.Exception"]}])
def test_a_handler_that_gives_up_ends_its_job_with_its_text(task: MakeTask, keys: dict[str, Any]) -> None:
    def handler(job_id: int) -> None:
        raise GiveUp("row 17: bad date")

    pool = task(handler, attempts=5, attempt_after=0, **keys)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.status, info.attempt, info.response) == ("FAILURE", 1, "row 17: bad date")
    assert info.error is not None
    assert (info.error.kind, info.error.type) == ("raised", "yao_tasks.errors.GiveUp")


@pytest.mark.parametrize(
    "keys", [{}, {"retry_on": ["builtins.OSError"]}, {"give_up_on": ["builtins.Exception"]}]
)
def test_a_handler_that_asks_for_a_retry_overrides_what_the_definition_retries(
    task: MakeTask, keys: dict[str, Any]
) -> None:
    assert runs_of(task, lambda: Retry("not yet", after=0), **keys) == 3


def test_a_retry_asked_for_counts_as_an_attempt_and_then_fails_with_its_text(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise Retry("not yet", after=0)

    pool = task(handler, attempts=0)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.status, info.attempt, info.response) == ("FAILURE", 1, "not yet")
    assert info.error is not None
    assert (info.error.kind, info.error.type) == ("raised", "yao_tasks.errors.Retry")


@pytest.mark.parametrize("after", [-1, "5", True, float("nan"), float("inf"), 10**400])
def test_a_retry_after_no_time_there_is_fails_as_a_value_error(task: MakeTask, after: Any) -> None:
    def handler(job_id: int) -> None:
        raise Retry(after=after)

    pool = task(handler, attempts=0)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.status, info.error and info.error.type) == ("FAILURE", "ValueError")
    assert str(info.response).startswith("Retry(after=")


def test_a_retry_asked_for_while_the_pool_is_closing_costs_no_attempt(task: MakeTask) -> None:
    entered, runs = threading.Event(), []

    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        runs.append(job.attempt)
        entered.set()
        if job.attempt < 3:
            until(lambda: job.stopping, "the close")
            raise Retry(after=0)
        return "done"

    pool = task(handler, attempts=0)
    job_id = pool.add()
    assert entered.wait(SECONDS)

    assert pool.close(SECONDS) == []

    assert (pool.get(job_id).status, runs) == ("SUCCESS", [1, 2, 3])


# How long


def test_fixed_waits_are_all_the_same(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler, attempts=9, attempt_after=60_000, attempt_max_after=1_000)

    seconds = waits(pool, pool.add(), 4)

    assert all(60 <= one < 62 for one in seconds), seconds


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_exponential_waits_double_within_a_tenth_up_to_their_bound(chance: float) -> None:
    policy = RetryPolicy(attempts=70, after=60.0, exponential=True, most_after=1_000.0, chance=lambda: chance)

    seconds = [policy.delay(ValueError(), runs) or 0.0 for runs in range(1, 71)]

    for place, one in enumerate(seconds):
        plain = 60 * 2**place
        assert min(1_000, 0.9 * plain) <= one <= min(1_000, 1.1 * plain)
    assert policy.delay(ValueError(), 71) is None


def test_a_definition_that_says_exponential_gets_it(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler, attempts=9, attempt_after=60_000, attempt_max_after=300_000, backoff="exponential")

    seconds = waits(pool, pool.add(), 5)

    bounds = [(54, 67), (108, 133), (216, 265), (300, 301), (300, 301)]
    assert all(low <= one < high for one, (low, high) in zip(seconds, bounds, strict=True)), seconds


def test_jobs_that_fail_together_do_not_come_back_together(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler, attempts=1, attempt_after=60_000, backoff="exponential")

    seconds = {round(waits(pool, pool.add(), 1)[0], 1) for _ in range(10)}

    assert len(seconds) > 3


def test_a_retry_says_itself_after_how_long(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise Retry(after=600)

    pool = task(handler, attempts=9, attempt_after=0, attempt_max_after=1_000, backoff="exponential")

    seconds = waits(pool, pool.add(), 2)

    assert all(600 <= one < 601 for one in seconds), seconds


def test_a_retry_without_a_time_waits_as_the_definition_says(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise Retry

    pool = task(handler, attempts=9, attempt_after=60_000)

    assert 60 <= waits(pool, pool.add(), 1)[0] < 61


# Timeouts of threads


def times_out(task: MakeTask, release: threading.Event, **keys: Any) -> tuple[Pool, list[int]]:
    """A pool whose jobs time out in their first run, and succeed in the second."""
    runs: list[int] = []

    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        runs.append(job.attempt)
        if job.attempt == 1:
            assert release.wait(SECONDS)
        return f"run {job.attempt}"

    return task(handler, timeout=0.1, attempts=2, attempt_after=0, worker_nums=1, **keys), runs


@pytest.mark.kinds("thread", "async")  # a process is killed: nothing goes on after its end
def test_a_timeout_is_tried_again_where_retry_on_names_it(stubborn_task: MakeTask, notes: Notes) -> None:
    release = threading.Event()
    pool, runs = times_out(
        stubborn_task,
        release,
        retry_on=["yao_tasks.errors.JobTimeout"],
        event=notes.events("success", "error"),
    )
    job_id = pool.add()

    info = pool.wait(job_id, SECONDS)

    # The second run didn't wait for the thread of the first, and what that brings late is dropped.
    assert (info.status, info.attempt, info.response) == ("SUCCESS", 2, "run 2")
    assert (pool.metrics()["stuck"], pool.metrics()["retried"]) == (1, 1)
    release.set()
    until(lambda: not pool.metrics()["stuck"], "the thread to come back")
    pool.close()
    assert (pool.get(job_id).response, runs) == ("run 2", [1, 2])
    assert notes.names(job_id) == ["success"]


def test_the_last_timeout_that_is_tried_again_says_that_it_was_the_last(task: MakeTask) -> None:
    release = threading.Event()

    def handler(job_id: int) -> None:
        assert release.wait(SECONDS)

    pool = task(
        handler,
        timeout=0.1,
        attempts=1,
        attempt_after=0,
        worker_nums=2,
        retry_on=["yao_tasks.errors.JobTimeout"],
    )

    info = pool.wait(pool.add(), SECONDS)
    release.set()

    assert (info.attempt, info.error and info.error.type) == (2, f"{JobTimeout.__module__}.JobTimeout")
    assert "a thread can't be stopped" not in info.response


@pytest.mark.slow
def test_a_timeout_retried_waits_for_attempt_after(task: MakeTask, kind: str) -> None:
    starts: list[float] = []
    release = threading.Event()

    def handler(job_id: int) -> None:
        starts.append(time.monotonic())
        assert release.wait(SECONDS)

    pool = task(handler, timeout=0.1, attempts=1, attempt_after=200, retry_on=["yao_tasks.errors.JobTimeout"])

    pool.wait(pool.add(), SECONDS)
    release.set()

    [gap] = [after - before for before, after in itertools.pairwise(starts)]
    # A little less, since it is the handler that looks: it may have begun later in the first run than in the second.
    assert gap >= 0.28
    # The process is replaced first.
    assert kind.endswith("process") or gap < 0.8
