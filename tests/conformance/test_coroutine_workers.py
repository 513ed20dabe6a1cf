"""API: what is promised of coroutines. Shared promises are in the other files, for every kind."""

import asyncio
import gc
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from tests.conformance.conftest import Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot, current_job
from yao_tasks.pools import Pool, tasks

tenant: ContextVar[str] = ContextVar("tenant", default="none")


@pytest.fixture
def task(site: Site) -> Callable[..., Pool]:
    def make(handler: Callable[..., Any], **keys: Any) -> Pool:
        return site.task("job", handler, **keys)

    return make


async def forever(job_id: int) -> None:
    await asyncio.sleep(3_600)


# Running


def test_an_async_def_runs_as_a_coroutine_without_being_told_so(task: Callable[..., Pool]) -> None:
    async def handler(job_id: int, name: str, *, loud: bool) -> tuple[Any, ...]:
        await asyncio.sleep(0)
        return job_id, name, loud, threading.current_thread().name

    pool = task(handler)
    job_id = pool.add("ada", loud=True)

    assert pool.wait(job_id, SECONDS).response == (job_id, "ada", True, "yao_tasks-event-loop")
    assert (pool.metrics()["worker_type"], pool.config["worker_type"]) == ("async", "auto")


def test_thousands_run_at_once_in_one_thread(task: Callable[..., Pool]) -> None:
    go: list[asyncio.Event] = []

    async def handler(job_id: int) -> int:
        if not go:
            go.append(asyncio.Event())
        await go[0].wait()
        return job_id

    pool = task(handler, worker_nums=10_000, size=1)
    before = threading.active_count()
    # The list keeps them findable.
    ids = pool.add_many([()] * 5_000)

    until(lambda: go and pool.metrics()["running"] == 5_000, "all to run")
    # The loop, the clock and the watch; on Python 3.12.0 to 3.12.2 also two that are kept ready.
    assert threading.active_count() <= before + 5
    boot.house().loops.loop().call(go[0].set)
    assert [pool.wait(job_id, SECONDS).response for job_id in ids] == ids


def test_no_more_run_than_there_are_places(task: Callable[..., Pool]) -> None:
    now, most = [0], [0]

    async def handler(job_id: int) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.001)
        now[0] -= 1

    pool = task(handler, worker_nums=7, size=1_000)
    ids = [pool.add() for _ in range(200)]

    assert {pool.wait(job_id, SECONDS).status for job_id in ids} == {"SUCCESS"}
    assert most == [7]
    assert {pool.get(job_id).worker for job_id in ids} == {f"job-{number}" for number in range(1, 8)}


def test_a_coroutine_and_what_it_starts_know_their_job_and_share_no_context(
    task: Callable[..., Pool],
) -> None:
    """F27"""

    async def child() -> object:
        job = current_job()
        return job and (job.id, job.attempt)

    async def handler(job_id: int) -> tuple[Any, ...]:
        before = tenant.get()
        tenant.set(str(job_id))
        await asyncio.sleep(0.01)
        inside = await asyncio.gather(child(), asyncio.create_task(child()))
        return before, tenant.get(), *inside, await asyncio.to_thread(lambda: tenant.get())

    tenant.set("the caller's")
    pool = task(handler, worker_nums=5)
    ids = [pool.add() for _ in range(10)]

    for job_id in ids:
        text = str(job_id)
        assert pool.wait(job_id, SECONDS).response == ("none", text, (job_id, 1), (job_id, 1), text)


def test_each_run_is_a_task_of_its_own_from_its_first_line_on(task: Callable[..., Pool]) -> None:
    seen: list[Any] = []

    async def handler(job_id: int) -> bool:
        first = asyncio.current_task()
        seen.append(first)
        async with asyncio.timeout(SECONDS):
            await asyncio.sleep(0)
        return asyncio.current_task() is first

    pool = task(handler, worker_nums=1)

    assert [pool.wait(pool.add(), SECONDS).response for _ in range(3)] == [True] * 3
    assert len(set(seen)) == 3
    assert None not in seen


@pytest.mark.slow
def test_runs_that_never_wait_leave_the_loop_to_others(site: Site) -> None:
    turns: list[int] = []

    async def ticks(job_id: int) -> None:
        while True:
            turns.append(len(ran))
            await asyncio.sleep(0)

    async def nothing(job_id: int) -> None:
        ran.append(job_id)

    ran: list[int] = []
    site.task("ticks", ticks)
    site.task("job", nothing, worker_nums=1, size=20_000)
    tasks["job"].pause()
    ids = tasks["job"].add_many([()] * 10_000)
    tasks["ticks"].add()
    until(lambda: turns, "it to tick")

    tasks["job"].resume()
    until(lambda: len(ran) == len(ids), "all to run")

    between = {count for count in turns if 0 < count < len(ids)}
    assert len(between) >= 3


@pytest.mark.slow
def test_a_coroutine_that_is_thrown_away_long_after_its_loop_disturbs_no_other(
    task: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(job_id: int) -> None:
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                pass

    pool = task(handler)
    engine: Any = boot.engine(pool.id)
    pool.add()
    until(lambda: engine.workers.dispatch.runs, "it to run")
    [run] = engine.workers.dispatch.runs.values()
    coroutine = run.task.get_coro()
    boot.reset()
    caplog.clear()

    async def throws_away() -> None:
        coroutine.close()

    asyncio.run(throws_away())

    assert not engine.workers.helpers.threads
    assert caplog.messages == []


def test_a_job_that_comes_in_as_the_loop_is_about_to_sleep_is_seen(
    task: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    async def handler(job_id: int, what: str) -> str:
        # No run ends meanwhile, which would look into the queue, too.
        while what == "first" and not over.is_set():
            await asyncio.sleep(0.01)
        return what

    pool = task(handler, worker_nums=2)
    tokens: Any = boot.engine(pool.id).workers.tokens  # type: ignore[attr-defined]
    late: list[int] = []

    class SlyQueue:
        """One into which somebody puts a job just after it was found empty."""

        def __init__(self) -> None:
            self.inner = tokens.queue

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def get_nowait(self) -> Any:
            try:
                return self.inner.get_nowait()
            except queue.Empty:
                if not late:
                    late.append(0)
                    late[0] = pool.add("late")
                raise

    monkeypatch.setattr(tokens, "queue", SlyQueue())

    pool.add("first")

    until(lambda: late and late[0], "it to come in")
    assert pool.wait(late[0], 2).response == "late"
    over.set()


def test_a_job_that_is_cancelled_before_the_loop_sees_it_keeps_no_other_back(
    task: Callable[..., Pool],
) -> None:
    async def handler(job_id: int) -> None: ...

    pool = task(handler, worker_nums=1)
    go, loop = threading.Event(), boot.house().loops.loop()
    loop.start()
    loop.call(go.wait, SECONDS)
    assert pool.cancel(pool.add())
    go.set()
    # Until it has seen that there is nothing to do.
    until(lambda: not boot.engine(pool.id).workers.dispatch.awake, "the loop to look")  # type: ignore[attr-defined]

    assert pool.wait(pool.add(), 2).status == "SUCCESS"


# Deadline and cancel


def test_a_deadline_cancels_the_coroutine_and_is_tried_again(task: Callable[..., Pool], notes: Notes) -> None:
    """F20"""
    seen: list[tuple[str, bool]] = []

    async def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            seen.append((pool.get(job_id).status, job.cancelled))
            raise

    pool = task(handler, worker_nums=1, timeout=0.1, attempts=1, attempt_after=0, event=notes.events("error"))
    began = time.monotonic()
    job_id = pool.add()
    info = pool.wait(job_id, SECONDS)

    assert (info.status, info.attempt, info.error and info.error.kind) == ("FAILURE", 2, "timeout")
    assert 0.2 <= time.monotonic() - began < 0.7
    assert "can't be stopped" not in info.response
    until(lambda: pool.metrics()["stuck"] == 0, "it to be gone")
    # Settled first, then cancelled: the run sees that it is over.
    assert [cancelled for _, cancelled in seen] == [True, True]
    pool.close()
    assert notes.names(job_id) == ["error"]


def test_a_cancel_frees_the_place_at_once(task: Callable[..., Pool]) -> None:
    pool = task(forever, worker_nums=1)
    for _ in range(20):
        job_id = pool.add()
        until(lambda job_id=job_id: pool.get(job_id).status == "RUNNING", "it to run")

        assert pool.cancel(job_id) is True

        assert pool.get(job_id).status == "FAILURE"
    until(lambda: pool.metrics()["stuck"] == 0, "the last to be gone")
    assert pool.metrics()["workers"] <= 2


def test_a_run_that_is_cancelled_before_its_first_step_gives_its_place_back(
    task: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    async def handler(job_id: int, what: str) -> None:
        ran.append(what)

    pool = task(handler, worker_nums=1)
    runner: Any = boot.engine(pool.id).workers.runner  # type: ignore[attr-defined]
    begin = runner.begin

    def begin_and_cancel(job: Any, name: str) -> int:
        attempt: int = begin(job, name)
        # The cancel reaches the loop before there is a task for it.
        if job.args == ("cut",):
            pool.cancel(job.id)
        return attempt

    monkeypatch.setattr(runner, "begin", begin_and_cancel)

    assert pool.wait(pool.add("cut"), SECONDS).status == "FAILURE"

    assert [pool.wait(pool.add("next"), SECONDS).status for _ in range(4)] == ["SUCCESS"] * 4
    assert ran == ["next"] * 4
    until(lambda: pool.metrics()["stuck"] == 0, "it to be gone")


def test_what_swallows_its_cancel_is_shown_as_stuck_let_go_and_dropped(
    task: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F23"""
    monkeypatch.setattr("yao_tasks.core.ends.GRACE", 0.02)
    go: list[asyncio.Event] = []

    async def handler(job_id: int, what: str = "") -> str:
        if what:
            return what
        go.append(asyncio.Event())
        while not go[0].is_set():
            try:
                await go[0].wait()
            except BaseException:
                continue
        return "late"

    pool = task(handler, worker_nums=1, timeout=0.1)
    job_id = pool.add()

    assert pool.wait(job_id, SECONDS).error
    assert pool.wait(pool.add("next"), SECONDS).response == "next"
    metrics = pool.metrics()
    assert (metrics["stuck"], metrics["workers"]) == (1, 2)
    [stack] = metrics["stacks"]
    assert stack.startswith(f"job-1, run 1 of job {job_id}:")
    assert "await go[0].wait()" in stack
    boot.house().loops.loop().call(go[0].set)
    until(lambda: pool.metrics()["stuck"] == 0, "it to come back")
    until(lambda: pool.metrics()["workers"] == 1, "the place that is too many to go")
    assert pool.get(job_id).response != "late"


@pytest.mark.parametrize("how", ["raises", "cancels its task", "cancels it and goes on"])
def test_a_handler_that_cancels_itself_has_failed(task: Callable[..., Pool], how: str) -> None:
    """F25"""

    async def handler(job_id: int) -> None:
        mine = asyncio.current_task()
        assert mine is not None
        if how == "raises":
            raise asyncio.CancelledError
        mine.cancel()
        await asyncio.sleep(1)

    pool = task(handler, worker_nums=1, attempts=1, attempt_after=0)

    for _ in range(3):
        info = pool.wait(pool.add(), SECONDS)
        assert (info.status, info.attempt, info.error and info.error.kind) == ("FAILURE", 2, "raised")
        assert info.error is not None
        assert info.error.type == "asyncio.exceptions.CancelledError"
    assert pool.metrics()["stuck"] == 0


@pytest.mark.parametrize("exception", [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError])
def test_what_ends_a_program_in_a_task_of_its_own_ends_nothing_else(
    task: Callable[..., Pool], caplog: pytest.LogCaptureFixture, exception: type[BaseException]
) -> None:
    """F25"""

    async def child() -> None:
        raise exception

    async def handler(job_id: int, *, fails: bool = False) -> None:
        if fails:
            await asyncio.create_task(child())

    pool = task(handler)

    assert pool.wait(pool.add(fails=True), SECONDS).status == "FAILURE"
    assert [pool.wait(pool.add(), SECONDS).status for _ in range(100)] == ["SUCCESS"] * 100


def test_a_failure_shows_the_handlers_own_lines(task: Callable[..., Pool]) -> None:
    async def handler(job_id: int) -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    pool = task(handler)
    error = pool.wait(pool.add(), SECONDS).error

    assert error is not None
    assert 'raise ValueError("no")' in error.traceback
    assert "yao_tasks/core" not in error.traceback


# The loop


@pytest.mark.slow
def test_a_handler_that_blocks_the_loop_is_named_within_two_seconds(
    task: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()

    async def block_the_loop(job_id: int) -> None:
        assert go.wait(SECONDS)

    pool = task(block_the_loop)
    began = time.monotonic()
    job_id = pool.add()

    [line] = until(lambda: [one for one in caplog.records if "has been blocked" in one.getMessage()])
    go.set()
    assert time.monotonic() - began < 2
    assert line.levelno == logging.WARNING
    assert (line.task, line.job, line.attempt) == ("job", job_id, 1)  # type: ignore[attr-defined]
    assert f"run 1 of job {job_id} of job." in line.getMessage()
    assert "in block_the_loop" in line.getMessage()


@pytest.mark.slow
def test_coroutines_that_wait_block_nothing(
    task: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(job_id: int) -> None:
        await asyncio.sleep(1.6)

    pool = task(handler)

    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"
    assert "has been blocked" not in caplog.text


@pytest.mark.parametrize("call", ["wait", "as_completed", "close"])
def test_what_would_block_the_loop_for_ever_is_refused_with_the_cure(
    task: Callable[..., Pool], call: str
) -> None:
    async def handler(job_id: int, *, outer: bool) -> Any:
        if not outer:
            return "inner"
        inner = pool.add(outer=False)
        with pytest.raises(RuntimeError, match="Write: await") as error:
            {"wait": lambda: pool.wait(inner), "as_completed": lambda: pool.as_completed([inner])}.get(
                call, pool.close
            )()
        info = await pool.await_end(inner)
        # One that has ended can be waited for.
        assert pool.wait(inner) == info
        return str(error.value), info.response

    pool = task(handler, worker_nums=2)

    said, inner = pool.wait(pool.add(outer=True), SECONDS).response

    assert inner == "inner"
    assert "event loop" in said


def test_coroutines_that_all_await_jobs_of_their_own_pool_are_told(task: Callable[..., Pool]) -> None:
    outer: list[int] = []

    async def handler(job_id: int, together: int) -> Any:
        if not together:
            return "inner"
        outer.append(job_id)
        while len(outer) < together:
            await asyncio.sleep(0.001)
        ids = [pool.add(0) for _ in range(3)]
        try:
            return [info.response for info in await asyncio.gather(*map(pool.await_end, ids))]
        except RuntimeError as error:
            return str(error)

    pool = task(handler, worker_nums=2)

    # One place is free for those that are awaited, however many they are.
    assert pool.wait(pool.add(1), SECONDS).response == ["inner"] * 3
    answers = [pool.wait(job_id, SECONDS).response for job_id in [pool.add(3), pool.add(3)]]
    assert any("can't end" in str(answer) for answer in answers)


# Numbers of places


def test_a_pool_is_resized_while_coroutines_run(task: Callable[..., Pool]) -> None:
    pool = task(forever, worker_nums=2, size=1_000)
    ids = [pool.add() for _ in range(50)]

    def running(count: int) -> None:
        until(lambda: pool.metrics()["running"] == count, f"{count} to run")

    running(2)
    pool.resize(30)
    running(30)
    pool.resize(5)
    for job_id in ids[:30]:
        pool.cancel(job_id)
    running(5)
    until(lambda: pool.metrics()["workers"] == 5, "the surplus places to go")


def test_nothing_is_left_of_coroutines_that_run_when_the_pools_close(
    task: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    cleaned: list[int] = []

    async def handler(job_id: int) -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            cleaned.append(job_id)

    pool = task(handler, worker_nums=100)
    ids = [pool.add() for _ in range(100)]
    until(lambda: pool.metrics()["running"] == 100, "all to run")

    assert sorted(pool.close(0.05)) == ids

    assert sorted(cleaned) == ids
    boot.reset()
    assert not [thread for thread in threading.enumerate() if "event-loop" in thread.name]


@pytest.mark.slow
def test_what_swallows_its_cancel_to_the_end_is_thrown_away_in_silence(
    task: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(job_id: int) -> None:
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                pass

    pool = task(handler)
    job_id = pool.add()
    until(lambda: pool.metrics()["running"], "it to run")
    began = time.monotonic()

    assert pool.close(0.05) == [job_id]
    boot.reset()
    gc.collect()

    assert time.monotonic() - began < 6
    assert [one.name for one in caplog.records] == ["yao_tasks"]
    assert not [thread for thread in threading.enumerate() if "event-loop" in thread.name]


def test_the_stacks_of_a_loop_that_is_blocked_are_those_of_its_thread(task: Callable[..., Pool]) -> None:
    go = threading.Event()

    async def block_the_loop(job_id: int) -> None:
        assert go.wait(SECONDS)

    pool = task(block_the_loop, timeout=0.1)
    job_id = pool.add()
    assert pool.wait(job_id, SECONDS).status == "FAILURE"
    began = time.monotonic()

    [stack] = pool.metrics()["stacks"]

    assert time.monotonic() - began < 1
    assert stack.startswith(f"job-1, run 1 of job {job_id}: the event loop is blocked:\n")
    assert "in block_the_loop" in stack
    go.set()
