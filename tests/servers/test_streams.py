"""Event streams on real servers: many at once under uvicorn, caps under gunicorn, and none holds up an end. S13."""

import asyncio
import json
import re
import signal
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.conftest import until
from tests.servers.conftest import LEAVES, SLOW, Server, Site, needs

pytestmark = pytest.mark.slow

JOBS = """
import pathlib

def until_told(job_id, *what):
    from yao_tasks import current_job
    job, steps = current_job(), 0
    while not pathlib.Path("go").exists() and not job.stopping:
        steps += 1
        job.progress(steps, 1_000_000, "under way")
        time.sleep(0.5)
    return time.time()
"""
URLS = """
from django.http import HttpResponse
from django.urls import include
from yao_tasks import job_url

def link(request):
    return JsonResponse({"url": job_url("wait", tasks["wait"].add())})

urlpatterns += [
    path("tasks/", include("yao_tasks.urls")),
    path("link/", link),
    path("empty/", lambda request: HttpResponse("ok")),
]
"""
STREAMS, RUNNING = 500, 50
# Of a view, while nothing else goes on and while it does.
ASKED = 200
# KB of resident memory.
MOST_OF_A_STREAM = 40


@pytest.fixture
def streaming(site: Site) -> Site:
    """The site with the API, and a task whose jobs end when the test says so."""
    for name, text in {"jobs": JOBS, "urls": URLS}.items():
        path = site.project.folder / f"{name}.py"
        path.write_text(path.read_text() + text)
    site.project.task("wait", "jobs.until_told", worker_nums=RUNNING, timeout=120)
    return site


def with_streams(site: Site) -> None:
    """Switch streams on where they are off."""
    settings = site.project.folder / "settings.py"
    settings.write_text(settings.read_text() + 'YAO_TASKS["STREAMS"] = True\n')


def uvicorn(site: Site) -> Server:
    needs("uvicorn")
    command = [sys.executable, "-m", "uvicorn", "asgi:application", "--host", "127.0.0.1", "--port", "PORT"]
    return site.serve(*command, "--no-access-log")


def gunicorn(site: Site, **environment: str) -> Server:
    needs("gunicorn")
    command = [sys.executable, "-m", "gunicorn", "wsgi", "--bind", "127.0.0.1:PORT", "--workers", "1"]
    return site.serve(
        *command, "--no-control-socket", "--worker-class", "gthread", "--threads", "4", **environment
    )


class Client:
    """A connection for each question, as few bytes as there may be."""

    writers: ClassVar[list[asyncio.StreamWriter]] = []

    def __init__(self, server: Server) -> None:
        self.port = server.port

    async def open(self, path: str) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask for a path; the status, and what comes after the headers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split()[1])
        if "text/event-stream" not in head:
            # gunicorn's thread waits for the other end to close, so that is done at once.
            await reader.read()
            writer.close()
        self.head = head
        return status, reader, writer

    async def seconds(self) -> float:
        """How long a view takes."""
        began = time.perf_counter()
        status, _, _ = await self.open("/empty/")
        assert status == 200
        return time.perf_counter() - began


async def p95(client: Client) -> float:
    """Of a view that does nothing, asked for again and again."""
    times = []
    for _ in range(ASKED):
        times.append(await client.seconds())
        await asyncio.sleep(0.005)
    return statistics.quantiles(times, n=20)[-1]


def events_path(server: Server) -> str:
    return str(server.get("link/")["url"]).replace("/?", "/events/?")


def resident(server: Server) -> int:
    """KB that the server's process takes."""
    (found,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    return int(found)


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        try:
            async with asyncio.timeout(100):
                return await test()
        finally:
            for writer in Client.writers:
                writer.transport.abort()
            Client.writers.clear()
            # What `abort` has called soon.
            await asyncio.sleep(0.05)

    return asyncio.run(bounded())


def test_five_hundred_streams_see_each_end_at_once_and_leave_the_site_quick(streaming: Site) -> None:
    server = uvicorn(streaming)
    paths = [events_path(server) for _ in range(RUNNING)]

    async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[float, float]:
        """When the end was seen, and when it was."""
        text = b""
        while b"event: success" not in text or not text.endswith(b"\n\n"):
            text = (text + await reader.readuntil(b"\n\n"))[-4_000:]
        seen = time.time()
        writer.close()
        return seen, json.loads(text.rpartition(b"data: ")[2])["response"]

    async def measure() -> None:
        client = Client(server)
        for _ in range(50):
            await client.seconds()
        idle, before = await p95(client), resident(server)
        opened = []
        for number in range(STREAMS):
            status, *stream = await client.open(paths[number % RUNNING])
            assert status == 200
            opened.append(asyncio.create_task(follow(*stream)))
        await asyncio.sleep(2)
        busy, after = await p95(client), resident(server)
        threads = len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))
        (streaming.project.folder / "go").touch()
        late = [seen - ended for seen, ended in await asyncio.gather(*opened)]
        size = (after - before) / STREAMS
        print(
            f"\np95 idle {idle * 1e3:.1f} ms, busy {busy * 1e3:.1f} ms; {size:.1f} KB a stream; {threads} threads"
        )
        print(f"the latest end was seen after {max(late):.2f} s")
        assert max(late) < 1 * SLOW
        assert size < MOST_OF_A_STREAM
        assert busy <= 3 * idle + 0.005
        assert threads < RUNNING + 40

    run(measure)


def test_a_uvicorn_that_is_told_to_stop_waits_for_no_stream(streaming: Site) -> None:
    server = uvicorn(streaming)
    path = events_path(server)

    async def leave() -> float:
        _, reader, writer = await Client(server).open(path)
        await reader.readuntil(b"event: progress")
        server.signal(signal.SIGTERM)
        began = time.monotonic()
        await reader.read()
        writer.close()
        return time.monotonic() - began

    took = run(leave)

    assert took < 1 * SLOW
    assert server.leaves() < LEAVES


def test_under_gunicorns_threads_the_caps_hold_and_views_are_served(streaming: Site) -> None:
    with_streams(streaming)
    server = gunicorn(streaming)
    paths = [events_path(server) for _ in range(10)]

    async def flood() -> tuple[list[int], float]:
        client, codes = Client(server), []
        for number in range(STREAMS):
            codes.append((await client.open(paths[number % 10]))[0])
            if codes[-1] != 200:
                assert "retry-after: 10" in client.head.lower()
        return codes, await p95(client)

    codes, served = run(flood)
    print(f"\n{codes.count(200)} streams, {codes.count(429)} refused, p95 {served * 1e3:.1f} ms")

    assert (codes.count(200), codes.count(429)) == (2, STREAMS - 2)
    assert served < 0.2 * SLOW


def test_a_gunicorn_that_is_told_to_stop_waits_for_no_stream(streaming: Site) -> None:
    with_streams(streaming)
    server = gunicorn(streaming)
    path = events_path(server)

    async def leave() -> None:
        _, reader, writer = await Client(server).open(path)
        await reader.readuntil(b"event: progress")
        server.signal(signal.SIGTERM)
        await reader.read()
        writer.close()

    run(leave)

    assert server.leaves() < LEAVES + SLOW


def test_a_wait_for_what_is_not_there_leaves_threads_for_others(streaming: Site) -> None:
    """Anybody may ask for a job: that keeps one thread of four waiting, and no more."""
    server = gunicorn(streaming)

    async def flood() -> float:
        client = Client(server)
        asked = [asyncio.create_task(Client(server).open("/tasks/wait/1/")) for _ in range(20)]
        served = [await client.seconds() for _ in range(50)]
        assert {status for status, _, _ in await asyncio.gather(*asked)} == {404}
        return max(served)

    assert run(flood) < 0.5 * SLOW
    until(server.listens)


def test_a_status_costs_little_more_than_a_view_that_does_nothing(streaming: Site) -> None:
    server = gunicorn(streaming)
    path = events_path(server).replace("events/", "")

    async def measure() -> float:
        client = Client(server)
        times: dict[str, list[float]] = {path: [], "/empty/": []}
        for _ in range(600):
            for one, took in times.items():
                began = time.perf_counter()
                assert (await client.open(one))[0] == 200
                took.append(time.perf_counter() - began)
        return statistics.median(times[path]) / statistics.median(times["/empty/"])

    ratio = run(measure)
    print(f"\na status takes {ratio:.2f} times as long")

    assert ratio < 1.5
