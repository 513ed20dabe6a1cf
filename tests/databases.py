"""Real databases for tests: SQLite, PostgreSQL and MariaDB, each with a database of this run's own.

The servers are those of PGHOST, PGPORT and PGUSER, and of MYSQL_HOST, MYSQL_PORT and MYSQL_USER; by default the ones on
127.0.0.1, as postgres and root. Where there is none, tests are skipped and say why; in CI they fail.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections

ALIAS = "journal"
NAME = f"yao_tasks_{os.getpid()}"
VENDORS = ["sqlite", "postgresql", "mysql"]


def configured(vendor: str, folder: Path) -> dict[str, Any]:
    """What settings.DATABASES says of a database of that vendor."""
    if vendor == "sqlite":
        return {**settings.DATABASES["default"], "NAME": folder / "journal.sqlite3", "TEST": {}}
    if vendor == "postgresql":
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "PORT": os.environ.get("PGPORT", "5432"),
            "USER": os.environ.get("PGUSER", "postgres"),
            "NAME": NAME,
        }
    return {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ.get("MYSQL_HOST", "127.0.0.1"),
        "PORT": os.environ.get("MYSQL_PORT", "3306"),
        "USER": os.environ.get("MYSQL_USER", "root"),
        "NAME": NAME,
        "OPTIONS": {"charset": "utf8mb4"},
    }


def no_server(vendor: str) -> str:
    """Why there is none to connect to; empty if there is."""
    try:
        with _outside(vendor):
            return ""
    except Exception as error:
        return f"no {vendor} server for tests: {error}"


@contextmanager
def database(vendor: str, folder: Path) -> Iterator[str]:
    """A database with the app's tables, under the alias `journal`. Without a server: a skip, in CI a failure."""
    why = "" if vendor == "sqlite" else no_server(vendor)
    if why and os.environ.get("CI"):
        pytest.fail(why)
    elif why:
        pytest.skip(why)
    _create(vendor)
    settings.DATABASES[ALIAS] = connections.configure_settings(
        {"default": {}, ALIAS: configured(vendor, folder)}
    )[ALIAS]
    connections.settings[ALIAS] = settings.DATABASES[ALIAS]
    try:
        call_command("migrate", "yao_tasks", database=ALIAS, verbosity=0)
        yield ALIAS
    finally:
        connections[ALIAS].close()
        del connections[ALIAS]
        # Often one and the same dict.
        for known in (connections.settings, settings.DATABASES):
            known.pop(ALIAS, None)
        _drop(vendor)


def _create(vendor: str) -> None:
    if vendor != "sqlite":
        with _outside(vendor) as execute:
            execute(f"CREATE DATABASE {NAME}" + (" CHARACTER SET utf8mb4" if vendor == "mysql" else ""))


def _drop(vendor: str) -> None:
    if vendor != "sqlite":
        with _outside(vendor) as execute:
            execute(f"DROP DATABASE {NAME}" + (" WITH (FORCE)" if vendor == "postgresql" else ""))


@contextmanager
def _outside(vendor: str) -> Iterator[Any]:
    """A connection to the server, beside the tests' own database: a function that executes a statement."""
    where = configured(vendor, Path())
    if vendor == "postgresql":
        import psycopg

        place = {"host": where["HOST"], "port": where["PORT"], "user": where["USER"], "dbname": "postgres"}
        with psycopg.connect(**place, autocommit=True, connect_timeout=5) as connection:
            yield connection.execute
    else:
        import MySQLdb

        connection = MySQLdb.connect(host=where["HOST"], port=int(where["PORT"]), user=where["USER"])
        try:
            yield connection.query
        finally:
            connection.close()
