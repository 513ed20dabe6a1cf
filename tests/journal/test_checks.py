"""System checks about the database of recorded jobs."""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections

from tests.conftest import Site
from tests.journal.conftest import Recorded
from yao_tasks.checks import check_records, check_tables


def nothing(job_id: int) -> None:
    """A handler."""


class KeepOut:
    """A router that lets no table of ours in."""

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:
        return False if app_label == "yao_tasks" else None


def test_tables_that_are_missing_are_told_where_somebody_looks(task: Recorded, journal: str) -> None:
    task(nothing)
    assert check_tables([journal]) == []
    call_command("migrate", "yao_tasks", "zero", database=journal, verbosity=0)
    try:
        [found] = [one for one in run_checks(databases=[journal]) if one.id == "yao_tasks.W004"]
        assert found.msg == (
            'The database "journal" has no table "yao_tasks_jobrecord": jobs run, and their history isn\'t kept.'
        )
        assert found.hint == "Run manage.py migrate."
        assert check_tables(["default"]) == []
        assert check_tables(None) == []
    finally:
        call_command("migrate", "yao_tasks", database=journal, verbosity=0)


def test_a_router_that_keeps_the_tables_out_is_an_error(task: Recorded, settings: Any) -> None:
    task(nothing)
    assert check_records() == []

    settings.DATABASE_ROUTERS = [KeepOut()]

    [found] = check_records()
    assert found.id == "yao_tasks.E017"
    assert 'out of "journal"' in found.msg


def test_a_database_of_another_kind_is_an_error(
    task: Recorded, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task(nothing)
    monkeypatch.setattr(connections[journal], "vendor", "oracle")

    [found] = check_records()

    assert "can't be recorded in oracle" in found.msg


def test_without_recorded_tasks_nobody_cares(site: Site, journal: str, settings: Any) -> None:
    site.task("job", nothing)
    settings.DATABASE_ROUTERS = [KeepOut()]

    assert check_records() == []
    assert check_tables([journal]) == []


def test_an_id_longer_than_its_column_is_a_fault_of_the_definition(site: Site, journal: str) -> None:
    pool = site.task("x" * 100 + "." + "y" * 100, nothing, record=True)

    with pytest.raises(ImproperlyConfigured, match="the task's id has 201 characters"):
        pool.add()


@pytest.mark.parametrize("where", ["zero", "0001"])
def test_migrations_go_back_and_forth(journal: str, where: str) -> None:
    call_command("migrate", "yao_tasks", where, database=journal, verbosity=0)
    assert "yao_tasks_jobrecord" not in connections[journal].introspection.table_names()

    call_command("migrate", "yao_tasks", database=journal, verbosity=0)

    tables = connections[journal].introspection.table_names()
    assert {"yao_tasks_jobrecord", "yao_tasks_jobowner", "yao_tasks_pausedtask"} <= set(tables)
