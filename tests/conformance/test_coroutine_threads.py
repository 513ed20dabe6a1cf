"""API: what coroutines leave to threads. Few of them, never two runs in one, and no connection left."""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connection

from tests.conftest import SECONDS, Site, until
from yao_tasks import boot, current_job
from yao_tasks.pools import Pool

THREADS = 5

pytestmark = pytest.mark.slow


@pytest.fixture
def task(site: Site, settings: Any) -> Callable[..., Pool]:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "ASYNC_THREADS": THREADS}

    def make(handler: Callable[..., Any], **keys: Any) -> Pool:
        return site.task("job", handler, **keys)

    return make


def test_many_runs_share_few_threads_and_each_keeps_its_own(task: Callable[..., Pool]) -> None:
    now: dict[str, set[int]] = defaultdict(set)
    seen: dict[int, set[str]] = defaultdict(set)

    def work(job_id: int) -> None:
        thread = threading.current_thread().name
        seen[job_id].add(thread)
        now[thread].add(job_id)
        time.sleep(0.0005)

    async def handler(job_id: int) -> None:
        for _ in range(3):
            await sync_to_async(work)(job_id)
            # A task of its own works in the same thread.
            await asyncio.create_task(sync_to_async(work)(job_id))
        [mine] = seen[job_id]
        assert now[mine] == {job_id}
        now[mine].clear()

    pool = task(handler, worker_nums=200, size=500)
    ids = pool.add_many([()] * 300)

    assert {pool.wait(job_id, SECONDS).response for job_id in ids} == {None}
    assert {len(threads) for threads in seen.values()} == {1}
    assert len(set.union(*seen.values())) == THREADS


@pytest.mark.django_db(transaction=True)
def test_the_orm_of_many_runs_opens_few_connections(task: Callable[..., Pool]) -> None:
    opened: set[int] = set()

    def look(job_id: int) -> None:
        assert connection.connection is not None
        opened.add(threading.get_ident())

    async def handler(job_id: int) -> int:
        await User.objects.acreate(username=f"user {job_id}")
        await sync_to_async(look)(job_id)
        return await User.objects.filter(username=f"user {job_id}").acount()

    pool = task(handler, worker_nums=100, size=100)
    ids = pool.add_many([()] * 50)

    assert {pool.wait(job_id, SECONDS).response for job_id in ids} == {1}
    assert len(opened) <= THREADS
    assert User.objects.count() == 50


def test_a_cancel_while_a_thread_works_stops_no_other_coroutine(task: Callable[..., Pool]) -> None:
    """asgiref's own context for each run would join its thread, in the loop."""
    go, came = threading.Event(), threading.Event()

    def block(job_id: int) -> None:
        came.set()
        assert go.wait(SECONDS)

    async def handler(job_id: int, *, blocks: bool = False) -> str:
        if blocks:
            await sync_to_async(block)(job_id)
        await asyncio.sleep(0.01)
        return "done"

    pool = task(handler, worker_nums=2, timeout=0.3)
    blocks = pool.add(blocks=True)
    assert came.wait(SECONDS)
    pool.cancel(blocks)
    began = time.monotonic()

    assert [pool.wait(pool.add(), SECONDS).response for _ in range(5)] == ["done"] * 5

    assert time.monotonic() - began < 0.5
    until(lambda: pool.metrics()["stuck"] == 0, "the coroutine to be gone, if not its thread")
    go.set()


def test_a_thread_that_still_works_for_a_run_that_was_cancelled_is_lent_to_nobody(
    task: Callable[..., Pool],
) -> None:
    go, came = threading.Event(), threading.Semaphore(0)
    at_work: list[int] = []

    def block(job_id: int) -> str:
        at_work.append(threading.get_ident())
        came.release()
        assert go.wait(SECONDS)
        return threading.current_thread().name

    async def handler(job_id: int) -> str:
        return await sync_to_async(block)(job_id)

    pool = task(handler, worker_nums=50, size=50)
    ids = [pool.add() for _ in range(THREADS + 3)]
    for _ in range(THREADS):
        assert came.acquire(timeout=SECONDS)
    for job_id in ids[:THREADS]:
        pool.cancel(job_id)
    until(lambda: pool.metrics()["stuck"] == 0, "the coroutines to be gone")

    time.sleep(0.05)
    assert len(at_work) == THREADS
    go.set()
    assert {pool.wait(job_id, SECONDS).status for job_id in ids[THREADS:]} == {"SUCCESS"}


def test_runs_that_hold_all_threads_may_still_use_others(task: Callable[..., Pool]) -> None:
    together = threading.Barrier(THREADS)

    async def handler(job_id: int) -> str:
        await sync_to_async(together.wait)(SECONDS)
        # Each of the lent threads is some run's now.
        return await asyncio.to_thread(lambda: threading.current_thread().name)

    pool = task(handler, worker_nums=THREADS)
    ids = pool.add_many([()] * THREADS)

    names = {pool.wait(job_id, SECONDS).response for job_id in ids}

    assert all(name.startswith("yao_tasks-async-call-") for name in names)


def test_to_thread_is_bounded_too(task: Callable[..., Pool]) -> None:
    async def handler(job_id: int) -> set[str]:
        def name() -> str:
            time.sleep(0.001)
            return threading.current_thread().name

        return set(await asyncio.gather(*(asyncio.to_thread(name) for _ in range(20))))

    pool = task(handler, worker_nums=20, size=100)
    ids = pool.add_many([()] * 40)

    assert len(set.union(*(pool.wait(job_id, SECONDS).response for job_id in ids))) <= THREADS


def test_code_in_a_thread_knows_its_job_and_can_come_back_into_the_loop(task: Callable[..., Pool]) -> None:
    async def back(job_id: int) -> tuple[Any, ...]:
        return threading.current_thread().name, await sync_to_async(inside)(job_id)

    def inside(job_id: int) -> tuple[Any, ...]:
        job = current_job()
        assert job is not None
        return job.id == job_id, threading.current_thread().name

    def out(job_id: int) -> tuple[Any, ...]:
        return *inside(job_id), *async_to_sync(back)(job_id)

    async def handler(job_id: int) -> tuple[Any, ...]:
        return await sync_to_async(out)(job_id)

    pool = task(handler)
    mine, thread, loop, (again, thread_again) = pool.wait(pool.add(), SECONDS).response

    assert (mine, again, loop) == (True, True, "yao_tasks-event-loop")
    # The very thread that waits for it: what asgiref calls thread-sensitive.
    assert thread == thread_again


def test_what_a_run_leaves_behind_takes_no_thread_for_good(task: Callable[..., Pool]) -> None:
    left: list[Any] = []

    async def straggler() -> None:
        await asyncio.sleep(0.02)
        await sync_to_async(time.sleep)(0)

    async def handler(job_id: int) -> None:
        left.append(asyncio.create_task(straggler()))

    pool = task(handler, worker_nums=10, size=100)
    ids = pool.add_many([()] * 50)
    for job_id in ids:
        assert pool.wait(job_id, SECONDS).status == "SUCCESS"

    until(lambda: all(one.done() for one in left), "them to end")
    assert not any(one.exception() for one in left)
    assert boot.house().loops.loop().lent.loans == {}


def test_an_add_inside_a_transaction_of_a_coroutines_thread_waits_for_its_commit(
    task: Callable[..., Pool], transactional_db: None
) -> None:
    from django.db import transaction

    def add() -> tuple[int, str]:
        with transaction.atomic():
            job_id = pool.add(outer=False)
            return job_id, pool.get(job_id).status

    async def handler(job_id: int, *, outer: bool) -> Any:
        if not outer:
            return "inner"
        inner, status = await sync_to_async(add)()
        return status, (await pool.await_end(inner)).response

    pool = task(handler)

    assert pool.wait(pool.add(outer=True), SECONDS).response == ("WAITING", "inner")


def test_async_events_use_lent_threads_whoever_tells_them(task: Callable[..., Pool]) -> None:
    seen: list[tuple[str, str]] = []

    def event(name: str) -> Callable[..., Any]:
        async def told(job_id: int, *values: Any) -> None:
            seen.append((name, await sync_to_async(lambda: threading.current_thread().name)()))

        return told

    async def handler(job_id: int) -> None:
        await asyncio.sleep(3_600)

    pool = task(handler, worker_nums=1, event={"add": event("add"), "error": event("error")})
    job_id = pool.add()
    until(lambda: pool.get(job_id).status == "RUNNING", "it to run")
    # Told by the announcer's thread, not by the loop.
    pool.cancel(job_id)
    pool.close()

    assert [name for name, _ in seen] == ["add", "error"]
    assert all(thread.startswith("yao_tasks-async-") for _, thread in seen)
