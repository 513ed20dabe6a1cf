"""The databases that tests of rows run in: one of each vendor for the whole run, whichever suite asks."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.databases import VENDORS, database


@pytest.fixture(scope="session", params=VENDORS)
def vendor_database(
    request: pytest.FixtureRequest, tmp_path_factory: Any, django_db_blocker: Any
) -> Iterator[dict[str, Any]]:
    """A database of each vendor, for the whole run: what settings say of it."""
    with django_db_blocker.unblock(), database(request.param, tmp_path_factory.mktemp("journal")) as config:
        yield config
