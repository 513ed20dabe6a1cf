"""gunicorn, sync and gthread, with and without --preload: F16, D4."""

import signal
import sys
from http.client import HTTPException
from typing import Any

import pytest

from tests.conftest import until
from tests.servers.conftest import LEAVES, Server, Site, ends_in_order, needs

pytestmark = pytest.mark.slow

KINDS = {"sync": ["--worker-class", "sync"], "gthread": ["--worker-class", "gthread", "--threads", "4"]}


@pytest.fixture(params=["sync", "gthread"])
def kind(request: pytest.FixtureRequest) -> str:
    """A class of workers."""
    return str(request.param)


@pytest.fixture(params=[[], ["--preload"]], ids=["", "preload"])
def preload(request: pytest.FixtureRequest) -> list[str]:
    """Whether the site is loaded before the workers are forked."""
    options: list[str] = request.param
    return options


def gunicorn(site: Site, kind: str, *options: str, **environment: Any) -> Server:
    """One worker, whose requests and jobs are of one process."""
    needs("gunicorn")
    command = [sys.executable, "-m", "gunicorn", "wsgi", "--bind", "127.0.0.1:PORT", "--workers", "1"]
    command += ["--no-control-socket"]
    return site.serve(*command, *KINDS[kind], *options, **environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=lambda number: number.name)
def test_jobs_run_and_end_or_are_named_when_the_server_is_stopped(
    site: Site, kind: str, preload: list[str], number: signal.Signals
) -> None:
    server = gunicorn(site, kind, *preload)
    assert server.works() != server.process.pid
    short, long = server.busy()

    server.signal(number)

    assert server.leaves() < LEAVES
    ends_in_order(server, short, long)


def test_a_reload_ends_or_names_jobs_and_the_next_worker_runs_its_own(
    site: Site, kind: str, preload: list[str]
) -> None:
    server = gunicorn(site, kind, *preload)
    server.works()
    short, long = server.busy()

    server.signal(signal.SIGHUP)

    server.changes_workers()
    ends_in_order(server, short, long)
    assert server.works() != server.worker
    server.signal(signal.SIGTERM)
    assert server.leaves() < LEAVES


def test_a_worker_that_is_recycled_ends_or_names_its_jobs(site: Site, kind: str, preload: list[str]) -> None:
    server = gunicorn(site, kind, *preload, "--max-requests", "2")
    short, long = server.busy()

    server.changes_workers()

    ends_in_order(server, short, long)
    added = server.add("quick")
    until(lambda: ["success", str(added["id"])] in server.project.ledger(), "a job of the next worker")
    server.signal(signal.SIGTERM)
    assert server.leaves() < LEAVES


def test_a_worker_that_hits_the_timeout_names_its_jobs_if_the_drain_is_short(site: Site) -> None:
    server = gunicorn(site, "sync", "--timeout", "2", DRAIN="0.4")
    server.works()
    _, long = server.busy()
    with pytest.raises((OSError, HTTPException)):
        server.get("sleep/60/")

    server.changes_workers()

    assert f"they are lost: {long}" in server.log()
    assert server.works() != server.worker


def test_a_slow_view_does_not_bring_a_threaded_worker_to_the_timeout(site: Site) -> None:
    server = gunicorn(site, "gthread", "--timeout", "1")
    worker = server.works()
    server.busy()

    assert server.get("sleep/3/")["pid"] == worker
    assert server.works() == worker


def test_a_recycled_worker_that_drains_longer_than_the_timeout_is_killed(site: Site) -> None:
    """Why DRAIN_TIMEOUT has to be below --timeout: nobody names the job."""
    server = gunicorn(site, "sync", "--max-requests", "2", "--timeout", "2", DRAIN="20")
    _, long = server.busy()

    server.changes_workers()

    assert "WORKER TIMEOUT" in server.log()
    assert str(long) not in server.log()
