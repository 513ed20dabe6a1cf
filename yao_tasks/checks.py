"""System checks: all that is wrong with settings, definition files and the handlers they name, at once."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from yao_tasks import asgi, callables, conf, loading, surroundings
from yao_tasks.core.faults import Code, Fault, shown
from yao_tasks.journal import checks as records
from yao_tasks.journal.durable import checks as durables
from yao_tasks.process import named_models


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Report what is wrong with `settings.YAO_TASKS`."""
    return [_message(fault) for fault in [*conf.faults(), *named_models.faults(), *surroundings.faults()]]


def check_definitions(**_: Any) -> list[checks.CheckMessage]:
    """Report what is wrong with definition files, and with the callables that they name (imports them)."""
    return [_message(fault) for fault in definition_faults()]


def check_lifespan(**_: Any) -> list[checks.CheckMessage]:
    """Report an ASGI application that doesn't close the pools before its server ends (imports it)."""
    return [_message(fault) for fault in lifespan_faults()]


def check_records(**_: Any) -> list[checks.CheckMessage]:
    """Report what is wrong with the database of recorded jobs, as far as the settings tell."""
    return [_message(fault) for fault in [*records.faults(), *durables.faults()]]


def check_tables(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Report where the tables of recorded jobs are missing: with `check --database` and before `migrate`."""
    return [_message(fault) for fault in records.faults_of(databases or ())]


def run() -> list[checks.CheckMessage]:
    """All of them; registered by the app."""
    return [*check_settings(), *check_definitions(), *check_records(), *check_lifespan()]


def all_faults() -> list[Fault]:
    """Return all that these checks report."""
    return [
        *conf.faults(),
        *named_models.faults(),
        *surroundings.faults(),
        *definition_faults(),
        *records.faults(),
        *durables.faults(),
        *lifespan_faults(),
    ]


def definition_faults() -> list[Fault]:
    """Return what is wrong with the files, read anew, and with what they name. Never raises."""
    loaded = loading.load()
    found = [*loaded.faults, *callables.discovery_faults()]
    for definition in loaded.definitions.values():
        found += callables.faults(definition)
    return found


def lifespan_faults() -> list[Fault]:
    """Return what is wrong with the application that `settings.ASGI_APPLICATION` names. Never raises."""
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not name:
        return []
    try:
        app = import_string(name)
    except (Exception, SystemExit):  # noqa: BLE001 - whoever serves it says so, and this is no fault of the pools
        return []
    if isinstance(app, asgi.Lifespan):
        return []
    text = (
        f"settings.ASGI_APPLICATION is {shown(name)}, which isn't wrapped in with_lifespan: under uvicorn, jobs "
        "that run when the server is stopped are lost, without a line in the log."
    )
    hint = "Write application = with_lifespan(get_asgi_application()), with_lifespan from yao_tasks.asgi."
    return [Fault(code=Code.LIFESPAN, text=text, hint=hint)]


def _message(fault: Fault) -> checks.CheckMessage:
    kind = checks.Error if fault.is_error else checks.Warning
    return kind(fault.text, hint=fault.hint, obj=fault.task or "YAO_TASKS", id=f"yao_tasks.{fault.code}")
