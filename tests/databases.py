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
VENDORS = ["sqlite", *(pytest.param(one, marks=pytest.mark.slow) for one in ("postgresql", "mysql"))]


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
def database(vendor: str, folder: Path) -> Iterator[dict[str, Any]]:
    """A database with the app's tables, gone afterwards. Without a server: a skip, in CI a failure.

    Answers what settings say of it; `known` makes an alias of that.
    """
    why = "" if vendor == "sqlite" else no_server(vendor)
    if why and os.environ.get("CI"):
        pytest.fail(why)
    elif why:
        pytest.skip(why)
    _create(vendor)
    config = configured(vendor, folder)
    try:
        with known(config) as alias:
            call_command("migrate", "yao_tasks", database=alias, verbosity=0)
        yield config
    finally:
        _drop(vendor)


@contextmanager
def known(config: dict[str, Any], alias: str = ALIAS) -> Iterator[str]:
    """Meanwhile Django knows this database under an alias."""
    # Often one and the same dict.
    places = (connections.settings, settings.DATABASES)
    for place in places:
        place[alias] = connections.configure_settings({"default": {}, alias: dict(config)})[alias]
    try:
        yield alias
    finally:
        # Before the alias goes: who finds it gone opens nothing.
        connections[alias].close()
        del connections[alias]
        for place in places:
            place.pop(alias, None)


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
