"""What the tests of durable jobs share: a database of each vendor, tasks in it, and whether this process works."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Site
from tests.journal.conftest import Rows, journal, rows, vendor_database
from yao_tasks import boot
from yao_tasks.pools import Pool

__all__ = ["Durable", "Rows", "durable", "journal", "rows", "vendor_database", "work"]

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
