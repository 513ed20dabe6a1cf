"""System checks: all that is wrong with settings, definition files and the handlers they name, at once."""

from typing import Any

from django.core import checks

from yao_tasks import callables, conf, loading, surroundings
from yao_tasks.core.faults import Fault


@checks.register
def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Report what is wrong with `settings.YAO_TASKS`."""
    return [_message(fault) for fault in [*conf.faults(), *surroundings.faults()]]


@checks.register
def check_definitions(**_: Any) -> list[checks.CheckMessage]:
    """Report what is wrong with definition files, and with the callables that they name (imports them)."""
    return [_message(fault) for fault in definition_faults()]


def all_faults() -> list[Fault]:
    """Return all that both checks report."""
    return [*conf.faults(), *surroundings.faults(), *definition_faults()]


def definition_faults() -> list[Fault]:
    """Return what is wrong with the files, read anew, and with what they name. Never raises."""
    loaded = loading.load()
    found = [*loaded.faults, *callables.discovery_faults()]
    for definition in loaded.definitions.values():
        found += callables.faults(definition)
    return found


def _message(fault: Fault) -> checks.CheckMessage:
    kind = checks.Error if fault.is_error else checks.Warning
    return kind(fault.text, hint=fault.hint, obj=fault.task or "YAO_TASKS", id=f"yao_tasks.{fault.code}")
