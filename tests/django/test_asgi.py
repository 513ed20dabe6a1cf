"""`with_lifespan`: what an ASGI server hears when it starts and ends, and what the pools do meanwhile."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.core.asgi import get_asgi_application

from tests.conftest import Site
from yao_tasks import boot, current_job, tasks
from yao_tasks.asgi import with_lifespan
from yao_tasks.core.errors import PoolClosed

START, STARTED = "lifespan.startup", "lifespan.startup.complete"
STOP, STOPPED = "lifespan.shutdown", "lifespan.shutdown.complete"


def talk(app: Any, meanwhile: Callable[[], Awaitable[None]] | None = None) -> list[str]:
    """Start and stop an application as a server does; answers what it said."""
    said: list[str] = []

    async def server() -> None:
        inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        answered = asyncio.Event()

        async def send(message: dict[str, str]) -> None:
            said.append(message["type"])
            answered.set()

        running = asyncio.create_task(app({"type": "lifespan", "asgi": {}}, inbox.get, send))
        await inbox.put({"type": START})
        await asyncio.wait(
            [running, asyncio.create_task(answered.wait())], timeout=10, return_when=asyncio.FIRST_COMPLETED
        )
        if meanwhile is not None:
            await meanwhile()
        await inbox.put({"type": STOP})
        await asyncio.wait_for(running, 10)

    asyncio.run(server())
    return said


def test_the_protocol_is_answered_where_django_refuses_it() -> None:
    assert talk(with_lifespan(get_asgi_application())) == [STARTED, STOPPED]


def test_everything_else_goes_to_the_application() -> None:
    calls = []

    async def app(*call: Any) -> None:
        calls.append(call)

    asyncio.run(with_lifespan(app)({"type": "http"}, "receive", "send"))  # type: ignore[arg-type]

    assert calls == [({"type": "http"}, "receive", "send")]


def test_the_pools_are_closed_while_the_loop_runs_on(site: Site) -> None:
    turns = []
    stopping = threading.Event()

    def work(job_id: int) -> str:
        job = current_job()
        while job is not None and not job.stopping:
            stopping.wait(0.001)
        assert looped.wait(10)
        return "done"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asyncio.get_running_loop().call_later(0.02, loops)
        raise ValueError("no lifespan here")

    def loops() -> None:
        turns.append(1)
        if pool.metrics()["running"] and boot.house().closed:
            looped.set()
        else:
            asyncio.get_running_loop().call_later(0.002, loops)

    looped = threading.Event()
    pool = site.task("a", work)
    job_id = pool.add()

    talk(with_lifespan(app))

    assert pool.get(job_id).response == "done"
    with pytest.raises(PoolClosed):
        pool.add()


def test_what_is_left_at_the_deadline_is_lost_and_named(
    site: Site, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pool = site.task("a", site.gate())
    settings.YAO_TASKS = {**settings.YAO_TASKS, "DRAIN_TIMEOUT": 0.1}
    job_id = tasks["a"].add()

    talk(with_lifespan(get_asgi_application()))

    info = pool.get(job_id)
    assert info.error is not None
    assert info.error.kind == "lost"
    assert f"they are lost: {job_id}" in caplog.text


def test_a_task_that_is_first_used_after_the_close_is_refused_too(site: Site) -> None:
    pool = site.task("a", lambda job_id: None)
    talk(with_lifespan(get_asgi_application()))

    with pytest.raises(PoolClosed, match="its pools were closed"):
        pool.add()


def test_the_end_of_the_process_does_not_wait_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = site.task("a", lambda job_id: None)
    pool.wait(pool.add(), 10)
    talk(with_lifespan(get_asgi_application()))
    closes: list[object] = []

    with monkeypatch.context() as patch:
        patch.setattr("yao_tasks.leaving.close", lambda *args: closes.append(args))
        boot.leave()

    assert closes == []


def test_an_application_that_is_started_again_has_pools_again(site: Site) -> None:
    pool = site.task("a", lambda job_id: "ran")
    app = with_lifespan(get_asgi_application())
    talk(app)

    async def meanwhile() -> None:
        answers.append(await asyncio.to_thread(lambda: pool.wait(pool.add(), 10).response))

    answers: list[Any] = []
    talk(app, meanwhile)

    assert answers == ["ran"]


def test_an_application_with_a_lifespan_of_its_own_closes_after_the_pools() -> None:
    order = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == START
        order.append("opened")
        await send({"type": STARTED})
        assert (await receive())["type"] == STOP
        order.append(f"pools closed: {boot.house().closed}")
        await send({"type": STOPPED})

    assert talk(with_lifespan(app)) == [STARTED, STOPPED]
    assert order == ["opened", "pools closed: True"]


def test_a_start_that_fails_ends_the_talk() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    assert talk(with_lifespan(app)) == ["lifespan.startup.failed"]
    assert not boot.house().closed


def test_an_application_that_breaks_is_logged_and_the_pools_are_closed_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": STARTED})
        raise RuntimeError("no more")

    assert talk(with_lifespan(app)) == [STARTED, STOPPED]
    assert "failed in the lifespan protocol: no more" in caplog.text
    assert boot.house().closed


def test_an_application_that_breaks_at_its_end_tells_the_server() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != STOP:
            await send({"type": STARTED})
        raise RuntimeError("no end")

    with pytest.raises(RuntimeError, match="no end"):
        talk(with_lifespan(app))

    assert boot.house().closed


def test_an_application_that_returns_at_once_is_answered_for() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    assert talk(with_lifespan(app)) == [STARTED, STOPPED]
