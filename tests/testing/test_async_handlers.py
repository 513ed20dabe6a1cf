"""The testing kit with async handlers and events: they run to their end wherever a job is added."""

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import transaction

from tests.conftest import Site
from yao_tasks import current_job
from yao_tasks.pools import Pool
from yao_tasks.testing import captured_tasks, drained_tasks, inline_tasks


@pytest.fixture
def told() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def pool(site: Site, told: list[tuple[Any, ...]]) -> Pool:
    def event(name: str) -> Any:
        async def call(job_id: int, *values: Any) -> None:
            await asyncio.sleep(0)
            told.append((name, *values))

        return call

    async def handler(job_id: int, name: str, *, fails: bool = False) -> str:
        await asyncio.sleep(0)
        job = current_job()
        assert job is not None
        job.progress(1, 2)
        if fails:
            raise ValueError(name)
        return name.upper()

    events = {name: event(name) for name in ("add", "success", "error", "progress")}
    return site.task("job", handler, event=events, worker_nums=5)


def test_inline_runs_a_coroutine_in_add(pool: Pool, told: list[Any]) -> None:
    before = set(threading.enumerate())

    with inline_tasks():
        job_id = pool.add("ada")

        assert pool.get(job_id).response == "ADA"
        with pytest.raises(ValueError, match="bob"):
            pool.add("bob", fails=True)
        assert pool.metrics()["worker_type"] == "async"

    assert [one[0] for one in told] == ["add", "progress", "success", "add", "progress", "error"]
    assert not [one for one in set(threading.enumerate()) - before if one.name.startswith("yao_tasks")]


@pytest.mark.parametrize("how", ["add", "aadd"])
def test_inline_runs_a_coroutine_inside_a_coroutine(pool: Pool, how: str) -> None:
    async def main() -> Any:
        job_id = pool.add("ada") if how == "add" else await pool.aadd("ada")
        return pool.get(job_id).response

    with inline_tasks():
        assert asyncio.run(main()) == "ADA"


@pytest.mark.django_db
def test_inline_uses_the_transaction_of_the_test(site: Site) -> None:
    async def handler(job_id: int) -> int:
        return await User.objects.acount()

    pool = site.task("job", handler)

    async def add() -> int:
        return await pool.aadd()

    with inline_tasks(), transaction.atomic():
        User.objects.create(username="ada")

        assert pool.get(pool.add()).response == 1
        # As in an async view, or an async test.
        assert pool.get(async_to_sync(add)()).response == 1


def test_captured_runs_a_coroutine_when_told(pool: Pool, told: list[Any]) -> None:
    with captured_tasks() as jobs:
        pool.add("ada")
        jobs.assert_added("job", "ada")
        assert [one[0] for one in told] == ["add"]
        with pytest.raises(TypeError):
            pool.add()

        [job] = jobs.run_pending()

    assert job.response == "ADA"
    assert told[-1] == ("success", "ADA")


@pytest.mark.django_db(transaction=True)
def test_drained_waits_for_coroutines_their_events_and_their_connections(site: Site) -> None:
    told: list[int] = []

    async def on_success(job_id: int, result: object) -> None:
        await asyncio.sleep(0.05)
        told.append(await User.objects.acount())

    async def handler(job_id: int) -> None:
        await sync_to_async(User.objects.create)(username=str(job_id))

    pool = site.task("job", handler, worker_nums=5, event={"success": on_success})

    with drained_tasks():
        for _ in range(10):
            pool.add()

    assert len(told) == 10
    assert User.objects.count() == 10
    assert not [one for one in threading.enumerate() if one.name.startswith("yao_tasks")]
