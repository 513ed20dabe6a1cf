"""Durable jobs in the processes of a web server: whatever it is told, none is lost."""

import signal
import sys

import pytest

from tests.conftest import until
from tests.servers.conftest import Server, Site, needs

pytestmark = pytest.mark.slow

SETTINGS = """
DATABASES["default"]["OPTIONS"] = {
    "transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;",
}
"""
URLS = """
def add_safe(request, count):
    return JsonResponse({"ids": tasks["safe"].add_many([()] * count)})

def ended(request):
    live = len(tasks["safe"].jobs)
    return JsonResponse({"live": live})

urlpatterns += [path("safe/<int:count>/", add_safe), path("live/", ended)]
"""
JOBS = """
def safe(job_id):
    note("safe", job_id)
    time.sleep(0.3)
    return "done"
"""
COMMAND = [sys.executable, "-m", "gunicorn", "wsgi", "--bind", "127.0.0.1:PORT", "--no-control-socket"]


@pytest.fixture
def project(site: Site) -> Site:
    needs("gunicorn")
    folder = site.project.folder
    for name, text in (("settings", SETTINGS), ("urls", URLS), ("jobs", JOBS)):
        path = folder / f"{name}.py"
        path.write_text(path.read_text() + text)
    site.project.task("safe", "jobs.safe", worker_nums=2, timeout=60, durable=True)
    process = site.project.start("migrate", "-v0", DRAIN="1")
    said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return site


def all_run(site: Site, server: Server, ids: list[int]) -> None:
    until(lambda: server.get("live/")["live"] == 0, "all jobs to end", seconds=60)
    noted = [int(job) for what, job, *_ in site.project.ledger() if what == "safe"]
    assert set(noted) == set(ids)


@pytest.mark.parametrize(
    "workers", [["--workers", "2"], ["--workers", "2", "--threads", "4"]], ids=["sync", "gthread"]
)
def test_what_a_server_leaves_the_next_one_runs(project: Site, workers: list[str]) -> None:
    """D4: the part of records."""
    server = project.serve(*COMMAND, *workers, DRAIN="0.5")
    ids = server.get("safe/20/")["ids"]
    until(lambda: any(what == "safe" for what, *_ in project.project.ledger()), "the first run")

    server.signal(signal.SIGTERM)
    server.leaves()
    again = project.serve(*COMMAND, *workers, DRAIN="0.5")

    all_run(project, again, ids)


def test_a_reload_loses_none(project: Site) -> None:
    """D4: the part of records."""
    server = project.serve(*COMMAND, "--workers", "2", DRAIN="0.5")
    ids = server.get("safe/20/")["ids"]
    until(lambda: any(what == "safe" for what, *_ in project.project.ledger()), "the first run")

    server.signal(signal.SIGHUP)

    all_run(project, server, ids)
