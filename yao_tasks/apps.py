"""The Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class YaoTasksConfig(AppConfig):
    """Registers the system checks when Django is ready; the rest waits for its first use."""

    name = "yao_tasks"
    verbose_name = _("Tasks")

    def ready(self) -> None:
        """Register the system checks."""
        from yao_tasks import checks  # noqa: F401
