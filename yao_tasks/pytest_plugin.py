"""Fixtures for pytest: `inline_tasks`, `captured_tasks`, `drained_tasks`, as `yao_tasks.testing` has them.

pytest loads this with any project whose environment has yao_tasks: it imports Django only in a fixture.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from yao_tasks.testing import CapturedTasks


@pytest.fixture
def inline_tasks() -> Iterator[None]:
    """Each job of the test runs in `add`, which raises what it raises."""
    from yao_tasks import testing

    with testing.inline_tasks():
        yield


@pytest.fixture
def captured_tasks() -> "Iterator[CapturedTasks]":
    """The jobs that the test adds are written down; they run when it says so."""
    from yao_tasks import testing

    with testing.captured_tasks() as jobs:
        yield jobs


@pytest.fixture
def drained_tasks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Real pools, which have come to rest before the database is emptied."""
    from yao_tasks import testing

    if "transactional_db" in request.fixturenames:
        # First in, last out: the database is emptied when no thread uses it any more.
        request.getfixturevalue("transactional_db")
    with testing.drained_tasks():
        yield
