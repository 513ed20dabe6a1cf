"""uWSGI, pre-forking: the site is loaded before the workers are forked, and no fork hook of Python runs."""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from threading import Thread

import pytest

from tests.conftest import until
from tests.servers.conftest import LEAVES, SLOW, Server, Site, binary, ends_in_order, needs

pytestmark = pytest.mark.slow


def uwsgi(site: Site, *options: str, **environment: str) -> Server:
    """One worker, whose requests and jobs are of one process."""
    needs("uwsgi")
    command = [str(binary("uwsgi")), "--http-socket", "127.0.0.1:PORT", "--module", "wsgi", "--need-app"]
    return site.serve(
        *command, "--master", "--processes", "1", "--stats", "stats.sock", *options, **environment
    )


def busy(server: Server) -> tuple[int, int]:
    """Have two jobs run, in a worker that has done with its request: else it leaves without Python's exit hooks."""
    ids = server.busy()
    until(lambda: statuses(server) == ["idle"], "an idle worker")
    return ids


def statuses(server: Server) -> list[str]:
    """What uWSGI says of its workers."""
    with socket.socket(socket.AF_UNIX) as stats:
        stats.connect(str(server.project.folder / "stats.sock"))
        with stats.makefile() as file:
            return [worker["status"] for worker in json.load(file)["workers"]]


STOPS = [
    pytest.param(signal.SIGINT, [], id="SIGINT"),
    pytest.param(signal.SIGQUIT, [], id="SIGQUIT"),
    pytest.param(signal.SIGTERM, ["--die-on-term"], id="SIGTERM"),
]
# Without die-on-term SIGTERM reloads; with it SIGQUIT does.
RELOADS = [
    pytest.param(signal.SIGHUP, [], id="SIGHUP"),
    pytest.param(signal.SIGTERM, [], id="SIGTERM"),
    pytest.param(signal.SIGQUIT, ["--die-on-term"], id="SIGQUIT"),
]


@pytest.mark.parametrize(("number", "options"), STOPS)
def test_jobs_run_and_end_or_are_named_when_the_server_is_stopped(
    site: Site, number: signal.Signals, options: list[str]
) -> None:
    server = uwsgi(site, "--enable-threads", *options)
    assert server.works() != server.process.pid
    short, long = busy(server)

    server.signal(number)

    assert server.leaves() < LEAVES
    ends_in_order(server, short, long)


@pytest.mark.parametrize(("number", "options"), RELOADS)
def test_a_reload_ends_or_names_jobs_and_the_next_worker_runs_its_own(
    site: Site, number: signal.Signals, options: list[str]
) -> None:
    server = uwsgi(site, "--enable-threads", *options)
    server.works()
    short, long = busy(server)

    server.signal(number)

    server.changes_workers()
    ends_in_order(server, short, long)
    assert server.works() != server.worker
    server.signal(signal.SIGINT)
    assert server.leaves() < LEAVES


@contextmanager
def answering(server: Server) -> Iterator[None]:
    """Have the worker answer a request of a second meanwhile."""

    def ask() -> None:
        with suppress(OSError, HTTPException):
            server.get("sleep/1/")

    client = Thread(target=ask)
    client.start()
    until(lambda: statuses(server) == ["busy"], "a busy worker")
    yield
    client.join()


def test_a_worker_that_is_killed_while_it_answers_loses_jobs_without_a_line(site: Site) -> None:
    """uWSGI leaves Python's exit hooks out then."""
    server = uwsgi(site, "--enable-threads", "--die-on-term")
    _, long = busy(server)

    with answering(server):
        server.signal(signal.SIGTERM)
        assert server.leaves() < LEAVES

    assert str(long) not in server.log()


def test_a_graceful_stop_ends_or_names_jobs_even_while_the_worker_answers(site: Site) -> None:
    graceful = ["--hook-master-start", "unix_signal:15 gracefully_kill_them_all"]
    server = uwsgi(site, "--enable-threads", *graceful)
    short, long = busy(server)

    with answering(server):
        server.signal(signal.SIGTERM)
        assert server.leaves() < LEAVES + SLOW

    ends_in_order(server, short, long)


def test_a_worker_that_is_recycled_ends_or_names_its_jobs(site: Site) -> None:
    server = uwsgi(site, "--enable-threads", "--max-requests", "2", "--min-worker-lifetime", "1")
    short, long = busy(server)

    # A worker that is younger than a second goes on.
    until(lambda: server.get("sleep/0/")["pid"] != server.worker, "another worker")

    ends_in_order(server, short, long)


def test_each_of_several_workers_runs_its_own_jobs(site: Site) -> None:
    server = uwsgi(site, "--enable-threads", "--processes", "2")
    pids: set[int] = set()

    def both() -> bool:
        added = server.add("quick")
        until(lambda: ["success", str(added["id"])] in server.project.ledger(), "a success")
        pids.add(added["pid"])
        return len(pids) == 2

    until(both, "both workers to answer")

    assert server.process.pid not in pids


def test_a_worker_without_threads_refuses_jobs_with_a_sentence(site: Site) -> None:
    # Newer versions always have threads: the site makes its worker look like one of an older.
    wsgi = site.project.folder / "wsgi.py"
    wsgi.write_text(f"{wsgi.read_text()}\nimport sys\nsys.modules['uwsgi'].has_threads = 0\n")
    server = uwsgi(site)

    refused = server.add("quick")

    assert refused["error"].startswith("ImproperlyConfigured: uWSGI runs without enable-threads")
