"""`manage.py runserver`, with the autoreloader's two processes and without."""

import os
import signal
import sys

import pytest

from tests.conftest import until
from tests.servers.conftest import LEAVES, Server, Site, ends_in_order

pytestmark = pytest.mark.slow


def runserver(site: Site, *options: str) -> Server:
    """The development server."""
    return site.serve(sys.executable, "manage.py", "runserver", "127.0.0.1:PORT", *options)


def test_jobs_run_in_the_process_that_answers(site: Site) -> None:
    server = runserver(site)

    assert server.works() != server.process.pid


def test_ctrl_c_without_the_autoreloader_ends_or_names_jobs(site: Site) -> None:
    server = runserver(site, "--noreload")
    server.works()
    short, long = server.busy()

    server.signal(signal.SIGINT)

    assert server.leaves() < LEAVES
    ends_in_order(server, short, long)


def test_a_change_of_a_definition_restarts_the_server_which_ends_or_names_jobs(site: Site) -> None:
    server = runserver(site)
    server.works()
    short, long = server.busy()

    # The reloader, which looks once a second, may not have seen the file before its first change.
    until(lambda: site.change_definition() or server.has_changed_workers(), "the process to leave")

    ends_in_order(server, short, long)
    until(server.listens, "the next process")
    assert server.works() != server.worker


@pytest.mark.parametrize("ctrl_c", [False, True], ids=["SIGTERM", "ctrl-c"])
def test_stopping_the_autoreloader_loses_jobs_without_a_line(site: Site, ctrl_c: bool) -> None:
    server = runserver(site)
    server.works()
    _, long = server.busy()

    if ctrl_c:
        # A terminal sends it to both processes.
        os.killpg(server.process.pid, signal.SIGINT)
    else:
        server.signal(signal.SIGTERM)

    assert server.leaves() < LEAVES
    assert str(long) not in server.log()
    assert not any(line[0] == "error" for line in server.project.ledger())
