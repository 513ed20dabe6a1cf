"""The app: accounts, and the mail that greets their owners."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Sign-up."""

    name = "demo_project.accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"
