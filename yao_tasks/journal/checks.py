"""What is wrong with the database that recorded jobs are written to."""

from collections.abc import Collection

from django.db import connections, router

from yao_tasks import conf, loading
from yao_tasks.core.faults import Code, Fault, shown
from yao_tasks.journal import sql
from yao_tasks.journal.durable import checks as durable_checks
from yao_tasks.models import JobRecord


def faults() -> list[Fault]:
    """What the settings alone tell of it. Asks no database; never raises."""
    if not _recorded():
        return []
    database = conf.current().database
    vendor = connections[database].vendor
    if vendor not in sql.VENDORS:
        text = (
            f'settings.YAO_TASKS: "DATABASE" is {shown(database)}, and jobs can\'t be recorded in {vendor}.'
        )
        return [_fault(text, "Name one of SQLite, PostgreSQL, MariaDB or MySQL.")]
    if not router.allow_migrate_model(database, JobRecord):
        kept_out = f"settings.DATABASE_ROUTERS keep the tables of yao_tasks out of {shown(database)}"
        text = f'{kept_out}, the "DATABASE" of YAO_TASKS.'
        return [_fault(text, "Let them in there, or name another database.")]
    return []


def faults_of(databases: Collection[str]) -> list[Fault]:
    """What a look at these databases tells. Raises django.db.Error."""
    database = conf.current().database
    if database not in databases or not _recorded():
        return []
    with connections[database].cursor() as cursor:
        tables = connections[database].introspection.table_names(cursor)
    if sql.TABLE in tables:
        return durable_checks.faults_of(database)
    text = f"The database {shown(database)} has no table {shown(sql.TABLE)}: jobs run, and their history isn't kept."
    return [Fault(code=Code.NOT_MIGRATED, text=text, hint="Run manage.py migrate.")]


def _recorded() -> bool:
    return any(definition.is_recorded for definition in loading.loaded().definitions.values())


def _fault(text: str, hint: str) -> Fault:
    return Fault(code=Code.RECORDS, text=text, hint=hint)
