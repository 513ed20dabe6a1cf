"""What the tests of durable jobs share: a database of each vendor, tasks in it, and whether this process works."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site, until
from tests.durable import processes
from tests.journal.conftest import Rows, journal, rows
from yao_tasks import boot
from yao_tasks.pools import Pool

__all__ = ["Durable", "Rows", "all_ended", "durable", "journal", "plant", "rows", "work"]

Durable = Callable[..., Pool]


@pytest.fixture
def durable(site: Site, journal: str, settings: Any) -> Durable:
    """Make a durable task, and answer its pool. Nobody runs it, until the test says `work()`."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "POLL_INTERVAL": 0.2}

    def make(handler: Callable[..., Any], task: str = "job", **keys: Any) -> Pool:
        return site.task(task, handler, durable=True, **keys)

    return make


def work() -> None:
    """Have this process run durable jobs."""
    boot.house().work()


@pytest.fixture
def plant(
    journal: str, vendor_database: dict[str, Any], tmp_path: Path, settings: Any
) -> Iterator[processes.Plant]:
    """A site with processes of its own, in a database of each vendor. This process only writes."""
    with processes.plant(tmp_path / "plant", vendor_database) as site:
        settings.YAO_TASKS = {
            **settings.YAO_TASKS,
            "DIRS": [site.folder / "tasks"],
            "STATE_DIR": site.folder / "state",
        }
        boot.reset()
        yield site


def all_ended(rows: Rows, *, seconds: float = 60) -> None:
    """Wait until no job lives."""
    until(lambda: not rows.all().filter(status__in=(1, 2)).exists(), "all jobs to end", seconds=seconds)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each row runs on SQLite and on PostgreSQL, those with processes of their own there alone; MariaDB is soaked."""
    for item in items:
        if "tests/durable" not in str(item.path):
            continue
        callspec = getattr(item, "callspec", None)
        vendor = callspec.params.get("vendor_database") if callspec else None
        long = item.get_closest_marker("slow") is not None and "plant" in getattr(item, "fixturenames", ())
        if vendor == "mysql" or (vendor == "sqlite" and long):
            item.add_marker(pytest.mark.soak)
