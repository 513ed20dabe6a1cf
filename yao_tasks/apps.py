"""The app: reads the definition files when Django starts, and nothing more."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.signals import request_started, setting_changed
from django.db.backends.signals import connection_created
from django.utils.autoreload import autoreload_started
from django.utils.translation import gettext_lazy as _


class YaoTasksConfig(AppConfig):
    """Reads files; imports no handler, starts no thread, asks no database, never raises: it runs for each command."""

    name = "yao_tasks"
    verbose_name = _("Tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Read the definitions; faults are told by `manage.py check` and at a task's first use."""
        from yao_tasks import connections, loading

        loading.loaded()
        checks.register(_check)
        checks.register(_check_tables, checks.Tags.database)
        connection_created.connect(connections.note, dispatch_uid="yao_tasks")
        setting_changed.connect(_setting_changed, dispatch_uid="yao_tasks")
        request_started.connect(_first_request, dispatch_uid="yao_tasks")
        autoreload_started.connect(_watch_files, dispatch_uid="yao_tasks")


def _check(**_: Any) -> list[checks.CheckMessage]:
    # Imported only now, as all that has to do with pools is: most commands never need it.
    from yao_tasks.checks import run

    return run()


def _check_tables(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    from yao_tasks.checks import check_tables

    return check_tables(databases)


def _first_request(**_: Any) -> None:
    from yao_tasks import boot

    request_started.disconnect(dispatch_uid="yao_tasks")
    boot.serve()


def _setting_changed(*, setting: str, **_: Any) -> None:
    from yao_tasks import boot, conf

    if setting in ("YAO_TASKS", "BASE_DIR", "INSTALLED_APPS"):
        conf.reset()
        boot.reset()


def _watch_files(sender: Any, **_: Any) -> None:
    """Restart the development server when a definition changes."""
    from yao_tasks import loading

    for folder, pattern in loading.watched():
        sender.watch_dir(folder, pattern)
