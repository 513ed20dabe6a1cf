"""One URL says where mail goes; Django wants it as `MAILERS` from 6.1 on, and as `EMAIL_…` before."""

from pathlib import Path
from typing import Any

import django
import environ

# Seconds. A mail server that doesn't answer must not hold a worker until the job's own timeout.
TIMEOUT = 10

# What each option of a mailer is called as a setting.
SMTP = {
    "host": "EMAIL_HOST",
    "port": "EMAIL_PORT",
    "username": "EMAIL_HOST_USER",
    "password": "EMAIL_HOST_PASSWORD",
    "use_tls": "EMAIL_USE_TLS",
    "use_ssl": "EMAIL_USE_SSL",
    "timeout": "EMAIL_TIMEOUT",
}
FILES = {"file_path": "EMAIL_FILE_PATH"}


def mail_settings(url: str, outbox: Path) -> dict[str, Any]:
    """The settings that send mail to `url`; if that is empty, into files in `outbox`.

    Raises ImproperlyConfigured for a URL of no known kind.
    """
    if url:
        given = {**environ.Env.email_url_config(url), "EMAIL_TIMEOUT": TIMEOUT}
    else:
        given = {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": outbox,
        }
    return _as_mailers(given) if django.VERSION >= (6, 1) else _as_settings(given)


def _as_mailers(given: dict[str, Any]) -> dict[str, Any]:
    kind = given["EMAIL_BACKEND"].split(".")[-2]
    names = {"smtp": SMTP, "filebased": FILES}.get(kind, {})
    options = {option: given[name] for option, name in names.items() if name in given}
    return {"MAILERS": {"default": {"BACKEND": given["EMAIL_BACKEND"], "OPTIONS": options}}}


def _as_settings(given: dict[str, Any]) -> dict[str, Any]:
    # An empty one would hide Django's default.
    return {
        name: value for name, value in given.items() if name.startswith("EMAIL_") and value not in (None, "")
    }
