"""API: events where the workers are coroutines. Async ones are awaited, plain ones run in a helper thread."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks import boot, current_job
from yao_tasks.pools import Pool

LOOP = "yao_tasks-event-loop"
Seen = list[tuple[Any, ...]]

pytestmark = pytest.mark.slow


@pytest.fixture
def task(site: Site) -> Callable[..., Pool]:
    def make(handler: Callable[..., Any], **keys: Any) -> Pool:
        return site.task("job", handler, **keys)

    return make


@pytest.fixture
def seen() -> Seen:
    return []


def events(seen: Seen, *names: str, **also: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Async events that write down what they saw, before and after they wait."""

    def event(name: str) -> Callable[..., Any]:
        async def told(job_id: int, *values: Any) -> None:
            job = current_job()
            seen.append((name, job_id, job and job.id, threading.current_thread().name))
            await asyncio.sleep(0.01)
            seen.append((f"{name}, told", job_id, *values))

        return told

    return {name: event(name) for name in names} | also


def order(seen: Seen, job_id: int) -> list[str]:
    return [one[0] for one in seen if one[1] == job_id]


async def succeeds(job_id: int, *reports: int) -> str:
    job = current_job()
    assert job is not None
    for report in reports:
        job.progress(report, 10)
    return "result"


async def fails(job_id: int) -> None:
    raise ValueError("no")


def test_async_events_are_awaited_in_the_loop_in_order(task: Callable[..., Pool], seen: Seen) -> None:
    pool = task(succeeds, event=events(seen, "add", "progress", "success", "error"))

    job_id = pool.add(1, 2)
    pool.close()

    assert order(seen, job_id) == [
        *("add", "add, told"),
        *("progress", "progress, told") * 2,
        *("success", "success, told"),
    ]
    assert {one[2:] for one in seen if "told" not in one[0]} == {(job_id, LOOP)}
    assert seen[-1] == ("success, told", job_id, "result")
    assert [one[2] for one in seen if one[0] == "progress, told"] == [1, 2]


def test_an_async_error_event_is_given_what_the_last_run_raised(
    task: Callable[..., Pool], seen: Seen
) -> None:
    pool = task(fails, attempts=1, attempt_after=0, event=events(seen, "error"))

    job_id = pool.add()
    pool.close()

    assert order(seen, job_id) == ["error", "error, told"]
    assert repr(seen[-1][2]) == "ValueError('no')"
    # And a person may have it tried again: its end has been told.
    assert pool.metrics()["failed"]["raised"] == 1


def test_an_async_error_event_tells_a_cancel(task: Callable[..., Pool], seen: Seen) -> None:
    async def forever(job_id: int) -> None:
        await asyncio.sleep(3_600)

    pool = task(forever, worker_nums=2, event=events(seen, "error"))
    ids = [pool.add() for _ in range(4)]
    until(lambda: pool.metrics()["running"] == 2, "two to run")

    for job_id in ids:
        pool.cancel(job_id)
    pool.close()

    for job_id in ids:
        assert order(seen, job_id) == ["error", "error, told"]
    assert {one[3] for one in seen if one[0] == "error"} == {LOOP}


def test_add_does_not_wait_for_an_async_add_event_and_the_first_run_does(
    task: Callable[..., Pool], seen: Seen
) -> None:
    go: list[asyncio.Event] = []

    async def on_add(job_id: int) -> None:
        go.append(asyncio.Event())
        await go[0].wait()
        seen.append(("add", job_id))

    async def handler(job_id: int) -> None:
        seen.append(("run", job_id))

    pool = task(handler, event={"add": on_add})
    job_id = pool.add()
    until(lambda: go, "the event to begin")

    assert pool.get(job_id).status == "WAITING"
    # It is no event of this thread, which may wait for the job.
    with pytest.raises(TimeoutError):
        pool.wait(job_id, 0.05)
    boot.house().loops.loop().call(go[0].set)
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    assert order(seen, job_id) == ["add", "run"]


def test_a_job_that_is_cancelled_during_its_async_add_event_never_runs(
    task: Callable[..., Pool], seen: Seen
) -> None:
    async def on_add(job_id: int) -> None:
        seen.append(("add", job_id))
        pool.cancel(job_id)
        await asyncio.sleep(0)
        seen.append(("add, told", job_id))

    async def handler(job_id: int) -> None:
        seen.append(("run", job_id))

    pool = task(handler, event=events(seen, "error", add=on_add))
    job_id = pool.add()

    pool.close()

    assert order(seen, job_id) == ["add", "add, told", "error", "error, told"]


def test_a_job_can_not_be_awaited_in_its_own_add_event(task: Callable[..., Pool], seen: Seen) -> None:
    async def on_add(job_id: int) -> None:
        with pytest.raises(RuntimeError, match=r"event\.add"):
            await pool.await_end(job_id)
        seen.append(("refused", job_id))

    pool = task(succeeds, event={"add": on_add})
    job_id = pool.add()

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    assert order(seen, job_id) == ["refused"]


@pytest.mark.django_db(transaction=True)
def test_an_async_add_event_comes_after_the_commit(task: Callable[..., Pool], seen: Seen) -> None:
    from django.db import transaction

    pool = task(succeeds, event=events(seen, "add"))
    with transaction.atomic():
        job_id = pool.add()
        time.sleep(0.02)
        assert seen == []

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    assert order(seen, job_id) == ["add", "add, told"]


def test_many_async_events_wait_at_once(task: Callable[..., Pool]) -> None:
    async def on_success(job_id: int, result: object) -> None:
        await asyncio.sleep(0.2)

    pool = task(succeeds, worker_nums=200, size=200, event={"success": on_success})
    began = time.monotonic()
    for _ in range(200):
        pool.add()
    pool.close()

    assert time.monotonic() - began < 2


@pytest.mark.parametrize("event", ["add", "progress", "success", "error"])
def test_an_async_event_that_raises_changes_nothing_and_is_logged(
    task: Callable[..., Pool], caplog: pytest.LogCaptureFixture, event: str
) -> None:
    """F26"""

    async def raises(job_id: int, *values: Any) -> None:
        raise SystemExit("from the event")

    pool = task(fails if event == "error" else succeeds, event={event: raises})
    calls = [()] if event == "error" else [(1,)]

    ids = [pool.add(*calls[0]) for _ in range(5)]
    ended = {pool.wait(job_id, SECONDS).status for job_id in ids}
    pool.close()

    assert ended == {"FAILURE" if event == "error" else "SUCCESS"}
    assert pool.metrics()["failed_events"] == 5
    assert caplog.text.count(f"event.{event} of job") == 5
    assert pool.metrics()["stuck"] == 0


@pytest.mark.parametrize("event", ["add", "progress", "success", "error"])
@pytest.mark.parametrize("swallows", [False, True])
def test_an_async_event_that_hangs_is_let_go(
    task: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch, event: str, *, swallows: bool
) -> None:
    """F26"""
    monkeypatch.setattr("yao_tasks.core.watch.SLOW_SECONDS", 0.05)
    monkeypatch.setattr("yao_tasks.core.watch.HUNG_SECONDS", 0.1)
    go: list[asyncio.Event] = []

    async def hang(job_id: int, *values: Any) -> None:
        mine = asyncio.Event()
        go.append(mine)
        while not mine.is_set():
            try:
                await mine.wait()
            except asyncio.CancelledError:
                if not swallows:
                    raise

    pool = task(fails if event == "error" else succeeds, worker_nums=1, event={event: hang})
    args = () if event == "error" else (1,)

    for _ in range(3):
        assert pool.wait(pool.add(*args), SECONDS).is_finished
    until(lambda: len(go) == 3 and pool.metrics()["running"] == 0, "all to rest")
    assert pool.metrics()["slow_events"] == [] or swallows
    for one in go:
        boot.house().loops.loop().call(one.set)
    until(lambda: not pool.metrics()["slow_events"], "them to end")


@pytest.mark.parametrize("event", ["add", "success"])
def test_an_event_that_is_thrown_away_long_after_its_loop_starts_nothing(
    task: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    async def hang(job_id: int, *values: Any) -> None:
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                pass

    pool = task(succeeds, event={event: hang})
    engine: Any = boot.engine(pool.id)
    pool.add(1)
    until(lambda: engine.watch.calling, "the event")
    told: list[Any] = []
    coroutines = [one.get_coro() for one in engine.workers.dispatch.telling._tasks]
    boot.reset()
    monkeypatch.setattr(engine.workers.helpers, "put", told.append)
    monkeypatch.setattr(engine.announcer, "announce", told.append)

    # As whoever collects garbage does, in any thread.
    for coroutine in coroutines:
        coroutine.close()

    assert told == []


def test_plain_events_run_in_a_helper_thread_and_block_no_coroutine(
    task: Callable[..., Pool], seen: Seen
) -> None:
    def plain(name: str) -> Callable[..., None]:
        def event(job_id: int, *values: Any) -> None:
            job = current_job()
            seen.append((name, job_id, job and job.id, threading.current_thread().name, *values))

        return event

    pool = task(succeeds, event={name: plain(name) for name in ("add", "progress", "success", "error")})
    job_id = pool.add(1, 2, 3)
    pool.close()

    assert order(seen, job_id) == ["add", "progress", "progress", "progress", "success"]
    assert next(one[3] for one in seen) == threading.current_thread().name
    assert all(one[3].startswith("yao_tasks-job-helper-") for one in seen[1:])
    assert {one[2] for one in seen} == {job_id}
    assert [one[4] for one in seen if one[0] == "progress"] == [1, 2, 3]


def test_a_flood_of_reports_loses_some_events_but_never_the_last(
    task: Callable[..., Pool], seen: Seen
) -> None:
    """L10"""

    async def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        for step in range(1, 20_001):
            job.progress(step, 20_000)

    pool = task(
        handler, event={"progress": lambda job_id, *report: seen.append(("progress", job_id, *report))}
    )
    job_id = pool.add()
    pool.close()

    assert pool.get(job_id).current == 20_000
    steps = [one[2] for one in seen]
    assert steps == sorted(steps)
    assert steps[-1] == 20_000
    assert len(steps) <= 200


def test_an_event_that_blocks_harms_no_other_pool(site: Site) -> None:
    """F26"""
    go = threading.Event()
    blocked = site.task(
        "blocked", succeeds, worker_nums=50, event={"success": lambda job_id, _: go.wait(SECONDS)}
    )
    told: list[int] = []
    other = site.task("other", succeeds, event={"success": lambda job_id, _: told.append(job_id)})
    for _ in range(50):
        blocked.add()

    ids = [other.add() for _ in range(10)]

    try:
        until(lambda: sorted(told) == ids, "the other pool's events")
    finally:
        go.set()


def test_around_is_entered_around_the_coroutine(site: Site, settings: Any, seen: Seen) -> None:
    entered.clear()
    settings.YAO_TASKS = {**settings.YAO_TASKS, "AROUND": [f"{__name__}.around"]}

    async def handler(job_id: int) -> None:
        await asyncio.sleep(0)
        entered.append(("run", job_id))

    pool = site.task("job", handler)
    job_id = pool.add()

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    assert entered == [("in", job_id), ("run", job_id), ("out", job_id)]


entered: list[tuple[str, int]] = []


@contextmanager
def around(job: Any) -> Any:
    entered.append(("in", job.id))
    try:
        yield
    finally:
        entered.append(("out", job.id))
