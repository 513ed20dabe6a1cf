"""Coroutines at work and at the end: thousands of calls over the network, forks, exits."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from tests.faults.conftest import Project
from tests.faults.test_forks import forked, works
from tests.faults.test_leaving import ADD, ends_well
from yao_tasks.pools import Pool

# Answers each call after 50 ms, and says how many it had at once.
SLOW_SERVER = """
import asyncio

now = most = 0

async def answer(reader, writer):
    global now, most
    path = (await reader.readuntil(b"\\r\\n\\r\\n")).split()[1].decode()
    now += 1
    most = max(most, now)
    await asyncio.sleep(0.05)
    now -= 1
    body = f"{path} {most}".encode()
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(body) + body)
    await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def slow_server() -> Iterator[int]:
    """The port of a slow HTTP server in a process of its own."""
    server = subprocess.Popen([sys.executable, "-c", SLOW_SERVER], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield int(server.stdout.readline())
    server.kill()
    server.communicate()


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def get(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return (await reader.read()).partition(b"\r\n\r\n")[2].decode()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_two_thousand_http_calls_five_hundred_at_once(site: Site, slow_server: int) -> None:
    async def fetch(job_id: int, number: int) -> str:
        return await get(slow_server, f"/{number}")

    pool = site.task("fetch", fetch, worker_nums=500, size=2_000, timeout=30)
    before, began = resident(), time.monotonic()
    ids = pool.add_many([(number,) for number in range(2_000)])

    answers = [pool.wait(job_id, 3 * SECONDS).response.split() for job_id in ids]

    assert [path for path, _ in answers] == [f"/{number}" for number in range(2_000)]
    assert max(int(most) for _, most in answers) >= 250
    # One after the other they would take 100 s.
    assert time.monotonic() - began < 10
    assert resident() - before < 60 * 2**20


def test_a_thousand_coroutines_that_wait_for_one_job_wake_within_a_second(site: Site) -> None:
    """L8"""
    go: list[asyncio.Event] = []

    async def awaited(job_id: int) -> float:
        go.append(asyncio.Event())
        await go[0].wait()
        return time.monotonic()

    async def waits(job_id: int, other: int) -> float:
        ended: float = (await one.await_end(other)).response
        return time.monotonic() - ended

    site.task("one", awaited)
    many = site.task("many", waits, worker_nums=1_000, size=10)
    one = Pool("one")
    job_id = one.add()
    ids = many.add_many([(job_id,)] * 1_000)
    until(lambda: many.metrics()["running"] == 1_000 and go, "all to wait")
    used = time.process_time()
    time.sleep(0.5)

    # A fifth of a processor; twice that on a busy machine.
    assert time.process_time() - used < 0.4 * 0.5
    from yao_tasks import boot

    boot.house().loops.loop().call(go[0].set)
    assert max(many.wait(job_id, SECONDS).response for job_id in ids) < 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_forked_child_has_a_loop_of_its_own_and_leaves_its_parents_alone(site: Site, times: int) -> None:
    """F18"""

    async def handler(job_id: int, *args: object) -> int:
        await asyncio.sleep(0.001)
        return os.getpid()

    pool = site.task("job", handler, worker_nums=20, size=10_000)
    for _ in range(times):
        ids = pool.add_many([()] * 20)

        assert forked(os.fork, lambda: works(pool)) == 0

        assert {pool.wait(job_id, SECONDS).response for job_id in ids} == {os.getpid()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_cleans_up_nothing_of_its_parents_coroutines(site: Site, tmp_path: Path) -> None:
    cleaned = tmp_path / "cleaned"

    async def handler(job_id: int) -> None:
        try:
            # Nobody but its task holds what it waits for.
            await asyncio.get_running_loop().create_future()
        finally:
            with cleaned.open("a") as file:
                file.write(f"{os.getpid()}\n")

    pool = site.task("job", handler, worker_nums=5)
    for _ in range(5):
        pool.add()
    until(lambda: pool.metrics()["running"] == 5, "them to run")
    time.sleep(0.05)

    assert forked(os.fork, lambda: works(pool) or gc.collect() >= 0) == 0

    assert not cleaned.exists()
    pool.close(0)
    until(lambda: cleaned.exists() and cleaned.read_text().split() == [str(os.getpid())] * 5, "them to end")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_coroutine_that_forks_harms_nobody(site: Site) -> None:
    async def handler(job_id: int) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    pool = site.task("job", handler)

    assert [pool.wait(pool.add(), SECONDS).response for _ in range(10)] == [7] * 10


ASYNC_JOBS = """
import asyncio
from jobs import note, succeeded, failed

async def choose(job_id, what):
    note("ran", job_id)
    await asyncio.sleep(3600 if what == "hang" else 0.01)

async def asucceeded(job_id, result):
    await asyncio.sleep(0.001)
    note("success", job_id)

async def afailed(job_id, error):
    await asyncio.sleep(0.001)
    note("error", job_id, type(error).__name__)
"""


@pytest.fixture
def jobs(project: Project) -> Project:
    (project.folder / "ajobs.py").write_text(ASYNC_JOBS)
    return project


def task(project: Project, prefix: str, **keys: Any) -> None:
    events = {"success": f"ajobs.{prefix}succeeded", "error": f"ajobs.{prefix}failed"}
    project.task("job", "ajobs.choose", event=events, **{"worker_nums": 20, "timeout": 1, **keys})


@pytest.mark.parametrize("prefix", ["", "a"], ids=["plain events", "async events"])
def test_a_command_waits_for_its_coroutines(jobs: Project, prefix: str) -> None:
    """D6"""
    task(jobs, prefix)

    process = jobs.start("shell", "--no-imports", "-c", ADD.format(count=100))

    ends_well(jobs, process, 100)


def test_ctrl_c_leaves_coroutines_and_names_them(jobs: Project) -> None:
    """D6"""
    task(jobs, "a", timeout=30)
    code = 'from yao_tasks import tasks\nprint(*(tasks["job"].add("hang") for _ in range(3)), flush=True)'
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = jobs.start("shell", "--no-imports", "-c", code)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stderr is not None
    ids = process.stdout.readline().split()
    assert "Waiting for 3" in process.stderr.readline()
    until(lambda: len(jobs.ledger()) == 3, "them to run")
    began = time.monotonic()

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)

    assert time.monotonic() - began < 2
    assert all(job_id in err for job_id in ids)
    assert "Traceback" not in err
    assert "was destroyed" not in err
    assert sorted(line for line in jobs.ledger() if line[0] == "error") == [
        ["error", job_id, "JobLost"] for job_id in sorted(ids)
    ]


def test_a_thread_that_a_coroutine_left_behind_holds_no_exit_up(jobs: Project) -> None:
    (jobs.folder / "ajobs.py").write_text(
        "import asyncio, time\n"
        "from asgiref.sync import sync_to_async\n"
        "async def choose(job_id, what):\n"
        "    await (asyncio.to_thread(time.sleep, 60) if what == 'to_thread' else sync_to_async(time.sleep)(60))\n"
    )
    jobs.task("job", "ajobs.choose", timeout=0.2)
    code = (
        "from yao_tasks import tasks\n"
        'ids = [tasks["job"].add(what) for what in ("to_thread", "sync_to_async")]'
    )
    began = time.monotonic()

    process = jobs.start("shell", "--no-imports", "-c", code)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 0
    assert time.monotonic() - began < 10
    assert "RuntimeError" not in err
