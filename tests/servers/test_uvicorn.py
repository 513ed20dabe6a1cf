"""uvicorn, with `with_lifespan` and without."""

import signal
import sys

import pytest

from tests.conftest import until
from tests.servers.conftest import LEAVES, Server, Site, ends_in_order, needs

pytestmark = pytest.mark.slow


def uvicorn(site: Site, application: str, *options: str) -> Server:
    """One process, or with --workers a supervisor above others."""
    needs("uvicorn")
    command = [sys.executable, "-m", "uvicorn", f"asgi:{application}", "--host", "127.0.0.1"]
    return site.serve(*command, "--port", "PORT", *options)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("options", [[], ["--workers", "1", "--reload"]], ids=["alone", "reload"])
def test_with_lifespan_jobs_run_and_end_or_are_named(
    site: Site, number: signal.Signals, options: list[str]
) -> None:
    server = uvicorn(site, "application", *options)
    server.works()
    short, long = server.busy()

    server.signal(number)

    assert server.leaves() < LEAVES
    ends_in_order(server, short, long)


def test_without_lifespan_jobs_run_but_are_lost_without_a_line(site: Site) -> None:
    """What W003 warns of."""
    server = uvicorn(site, "bare")
    server.works()
    short, long = server.busy()

    server.signal(signal.SIGTERM)

    assert server.leaves() < LEAVES
    assert not any(str(short) in line[1:] for line in server.project.ledger() if line[0] != "began")
    assert str(long) not in server.log()


def test_without_lifespan_ctrl_c_still_ends_in_order(site: Site) -> None:
    server = uvicorn(site, "bare")
    short, long = server.busy()

    server.signal(signal.SIGINT)

    assert server.leaves() < LEAVES
    ends_in_order(server, short, long)


def test_each_of_several_workers_names_its_own_jobs(site: Site) -> None:
    server = uvicorn(site, "application", "--workers", "2")
    ids: dict[int, list[int]] = {}
    until(lambda: len(ids) == 2 or ids.setdefault((job := server.add("long"))["pid"], []).append(job["id"]))

    server.signal(signal.SIGTERM)

    assert server.leaves() < LEAVES
    for lost in ids.values():
        assert f"they are lost: {', '.join(map(str, lost))}" in server.log()
