"""uWSGI, pre-forking: the site is loaded before the workers are forked, and no fork hook of Python runs."""

import signal

import pytest

from tests.conftest import until
from tests.servers.conftest import LEAVES, Server, Site, binary, ends_in_order, needs

pytestmark = pytest.mark.slow


def uwsgi(site: Site, *options: str, **environment: str) -> Server:
    """One worker, whose requests and jobs are of one process."""
    needs("uwsgi")
    command = [str(binary("uwsgi")), "--http-socket", "127.0.0.1:PORT", "--module", "wsgi", "--need-app"]
    return site.serve(*command, "--master", "--processes", "1", *options, **environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_jobs_run_and_end_or_are_named_when_the_server_is_stopped(site: Site, number: signal.Signals) -> None:
    server = uwsgi(site, "--enable-threads", "--die-on-term")
    assert server.works() != server.process.pid
    short, long = server.busy()

    server.signal(number)

    assert server.leaves() < LEAVES
    ends_in_order(server, short, long)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=lambda number: number.name)
def test_a_reload_ends_or_names_jobs_and_the_next_worker_runs_its_own(
    site: Site, number: signal.Signals
) -> None:
    server = uwsgi(site, "--enable-threads")
    server.works()
    short, long = server.busy()

    server.signal(number)

    server.changes_workers()
    ends_in_order(server, short, long)
    assert server.works() != server.worker
    server.signal(signal.SIGQUIT)
    assert server.leaves() < LEAVES


def test_a_worker_that_is_recycled_ends_or_names_its_jobs(site: Site) -> None:
    server = uwsgi(site, "--enable-threads", "--max-requests", "2", "--min-worker-lifetime", "1")
    short, long = server.busy()

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
    wsgi.write_text(f"{wsgi.read_text()}\nimport uwsgi\nuwsgi.has_threads = 0\n")
    server = uwsgi(site)

    refused = server.add("quick")

    assert refused["error"].startswith("ImproperlyConfigured: uWSGI runs without enable-threads")
