"""Event streams on servers that are seldom seen: each tells what happens, or that there are none, and none hangs."""

import json
import signal
import sys
import time
from collections.abc import Callable

import pytest

from tests.servers.conftest import LEAVES, SLOW, Server, Site, binary, ends_in_order, needs
from tests.servers.test_streams import Client, events_path, run, streaming, with_streams

__all__ = ["streaming"]
pytestmark = pytest.mark.slow

# It waits so long for what is open (s); 3 if nobody says so.
HYPERCORNS_GRACE = 1


def daphne(site: Site) -> Server:
    needs("daphne")
    return site.serve(sys.executable, "-m", "daphne", "--bind", "127.0.0.1", "--port", "PORT", "asgi:bare")


def hypercorn(site: Site) -> Server:
    needs("hypercorn")
    command = [
        sys.executable,
        "-m",
        "hypercorn",
        "--bind",
        "127.0.0.1:PORT",
        "--graceful-timeout",
        str(HYPERCORNS_GRACE),
    ]
    return site.serve(*command, "asgi:application")


def waitress(site: Site) -> Server:
    needs("waitress")
    return site.serve(sys.executable, "-m", "waitress", "--listen", "127.0.0.1:PORT", "wsgi:application")


def uwsgi(site: Site) -> Server:
    needs("uwsgi")
    command = [str(binary("uwsgi")), "--http-socket", "127.0.0.1:PORT", "--module", "wsgi", "--need-app"]
    return site.serve(
        *command, "--master", "--processes", "1", "--enable-threads", "--threads", "4", "--die-on-term"
    )


def follow(server: Server) -> float:
    """Follow a job to its end. Answers how many seconds after it that is told."""
    path = events_path(server)

    async def watch() -> float:
        _, reader, writer = await Client(server).open(path)
        await reader.readuntil(b"event: progress")
        (server.project.folder / "go").touch()
        await reader.readuntil(b"event: success")
        text = await reader.readuntil(b"\n\n")
        seen = time.time()
        writer.close()
        (server.project.folder / "go").unlink()
        return seen - float(json.loads(text.rpartition(b"data: ")[2])["response"])

    late: float = run(watch)
    return late


def stop(server: Server) -> float:
    """Stop the server while somebody follows a job. Answers the seconds until the stream has ended."""
    path = events_path(server)

    async def watch() -> float:
        _, reader, writer = await Client(server).open(path)
        await reader.readuntil(b"event: progress")
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        await reader.read()
        writer.close()
        return time.monotonic() - began

    took: float = run(watch)
    return took


@pytest.mark.parametrize("start", [daphne, hypercorn, waitress, uwsgi])
def test_a_stream_tells_each_change_and_the_end_and_holds_up_no_stop(
    streaming: Site, start: Callable[[Site], Server]
) -> None:
    if start in (waitress, uwsgi):
        with_streams(streaming)
    server = start(streaming)

    late, cut = follow(server), stop(server)
    print(
        f"\n{start.__name__}: the end is told after {late:.2f} s; a stream that is cut off ends after {cut:.2f} s"
    )

    assert late < 1 * SLOW
    assert cut < (HYPERCORNS_GRACE + 1) * SLOW
    assert server.leaves() < LEAVES


def test_waitress_has_no_streams_unless_they_are_switched_on_and_ends_in_order_at_ctrl_c(
    streaming: Site,
) -> None:
    server = waitress(streaming)
    server.works()

    async def ask() -> int:
        return (await Client(server).open(events_path(server)))[0]

    status = run(ask)
    short, long = server.busy()
    server.signal(signal.SIGINT)

    assert status == 404
    assert server.leaves() < LEAVES
    ends_in_order(server, short, long)
