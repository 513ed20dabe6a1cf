"""A database of each vendor for a figure, gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB"}


@contextmanager
def database_of(vendor: str, alias: str = "history") -> Iterator[str]:
    """An empty database with the app's tables. Answers its alias."""
    from tests.databases import database, known

    with (
        tempfile.TemporaryDirectory() as folder,
        database(vendor, Path(folder)) as config,
        known(config, alias),
    ):
        yield alias
