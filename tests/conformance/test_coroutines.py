"""API: the pool from coroutines. Nobody's event loop is blocked, and no thread waits for a waiter."""

import asyncio
import threading
import time
from typing import Any

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site
from yao_tasks.errors import BadJobId, JobNotFound, QueueFull

# Rows of durable jobs are asked for in the thread of the event loop, which Django refuses.
pytestmark = [pytest.mark.slow, pytest.mark.kinds("thread", "async", "process")]


def test_a_job_is_added_looked_at_and_waited_for(task: MakeTask) -> None:
    pool = task(lambda job_id, *args, **kwargs: [list(args), kwargs])

    async def main() -> Any:
        job_id = await pool.aadd("ada", name="Ada")
        assert (await pool.aget(job_id)).id == job_id
        return await pool.await_end(job_id, timeout=SECONDS)

    assert asyncio.run(main()).response == [["ada"], {"name": "Ada"}]


def test_options_hold_for_a_job_added_by_a_coroutine(task: MakeTask) -> None:
    pool = task(lambda job_id: None)

    job_id = asyncio.run(pool.using(run_after=60).aadd())

    assert pool.get(job_id).due_at is not None


def test_the_loop_runs_on_while_a_job_is_waited_for(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add("result")
    gate.entered()

    async def main() -> Any:
        waiter = asyncio.ensure_future(pool.await_end(job_id, timeout=SECONDS))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiter.done()
        gate.open()
        return await waiter

    assert asyncio.run(main()).response == "result"


def test_many_wait_without_a_thread_each(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add("result")
    gate.entered()

    async def main() -> list[Any]:
        before = threading.active_count()
        waiters = [asyncio.ensure_future(pool.await_end(job_id, SECONDS)) for _ in range(200)]
        await asyncio.sleep(0.01)
        # Threads of other things may come and go; one for each who waits would be 200.
        assert threading.active_count() < before + 10
        gate.open()
        return [(await waiter).response for waiter in waiters]

    assert asyncio.run(main()) == ["result"] * 200


def test_await_end_gives_up_after_its_timeout(site: Site, task: MakeTask) -> None:
    pool = task(site.gate())
    job_id = pool.add()

    for timeout in (0, 0.05):
        with pytest.raises(TimeoutError, match=f'Job {job_id} of "job" has not ended within {timeout:g} s.'):
            asyncio.run(pool.await_end(job_id, timeout))
    assert pool.get(job_id).status in ("WAITING", "RUNNING")


def test_await_end_of_a_job_that_has_ended_answers_at_once(task: MakeTask) -> None:
    pool = task(lambda job_id: "done")
    job_id = pool.add()
    pool.wait(job_id, SECONDS)

    assert asyncio.run(pool.await_end(job_id, 0)).response == "done"


@pytest.mark.parametrize("job_id", [12, "12"])
@pytest.mark.parametrize("ask", ["aget", "await_end", "aretry"])
def test_what_is_not_there_is_told(task: MakeTask, ask: str, job_id: Any) -> None:
    pool = task(lambda job_id: None)

    with pytest.raises(JobNotFound if job_id == 12 else BadJobId):
        asyncio.run(getattr(pool, ask)(job_id))


def test_a_waiter_that_is_cancelled_disturbs_nobody(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add("result")
    gate.entered()

    async def main() -> Any:
        one, other = (asyncio.ensure_future(pool.await_end(job_id, SECONDS)) for _ in range(2))
        await asyncio.sleep(0.01)
        one.cancel()
        gate.open()
        return await other

    assert asyncio.run(main()).response == "result"


def test_a_loop_that_is_closed_meanwhile_costs_the_job_nothing(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add("result")
    loop = asyncio.new_event_loop()
    waiter = loop.create_task(pool.await_end(job_id))
    loop.run_until_complete(asyncio.sleep(0.01))
    waiter.cancel()
    loop.run_until_complete(asyncio.gather(waiter, return_exceptions=True))
    loop.close()

    gate.open()

    assert pool.wait(job_id, SECONDS).response == "result"


def test_a_coroutine_cancels_and_retries(site: Site, task: MakeTask, notes: Notes) -> None:
    gate = site.gate()
    pool = task(gate, event=notes.events("error", "success"))
    job_id = pool.add()
    gate.entered()

    assert asyncio.run(pool.acancel(job_id)) is True
    assert asyncio.run(pool.acancel(job_id)) is False
    assert asyncio.run(pool.acancel(12)) is False
    asyncio.run(pool.aretry(job_id))
    gate.open()

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    pool.close()
    assert notes.names(job_id) == ["error", "success"]
    # Never in the thread of the loop that cancelled.
    assert threading.current_thread() not in [note.thread for note in notes.all]
    with pytest.raises(ValueError, match="is no failure"):
        asyncio.run(pool.aretry(job_id))


def test_aadd_runs_its_event_in_no_event_loop(task: MakeTask, notes: Notes) -> None:
    loops: list[bool] = []

    def on_add(job_id: int) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loops.append(False)
        else:
            loops.append(True)

    notes.also["add"] = on_add
    pool = task(lambda job_id: None, event=notes.events("add"))

    asyncio.run(pool.aadd())

    assert loops == [False]


def test_aadds_that_wait_for_a_place_wait_at_once_and_hold_up_nobody(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, size=1, overflow="wait", overflow_wait=0.4)
    other = task(lambda job_id: "other", "other")
    for _ in range(2):
        pool.add()
    gate.entered()

    async def main() -> tuple[bool, list[Any], float]:
        began = time.monotonic()
        waiters = [asyncio.ensure_future(pool.aadd()) for _ in range(4)]
        await asyncio.sleep(0.01)
        await other.aadd()
        meanwhile = not any(waiter.done() for waiter in waiters)
        return meanwhile, await asyncio.gather(*waiters, return_exceptions=True), time.monotonic() - began

    meanwhile, ended, seconds = asyncio.run(main())

    assert [type(one) for one in ended] == [QueueFull] * 4
    assert meanwhile
    # Not one after the other.
    assert seconds < 4 * 0.4


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_rolled_back_meanwhile_is_not_waited_for(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    got: list[str] = []

    def look(job_id: int) -> None:
        try:
            got.append(asyncio.run(pool.await_end(job_id, 0.3)).status)
        except JobNotFound:
            got.append("never was")
        except TimeoutError:
            got.append("timed out")

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        looker = threading.Thread(target=look, args=(pool.add(),))
        looker.start()
        looker.join(0.1)
        raise ZeroDivisionError

    # Nobody else asks the pool for anything.
    looker.join(SECONDS)
    assert got == ["never was"]
