"""What the server of this process must allow."""

import sys

from django.core import mail
from django.core.exceptions import ImproperlyConfigured


def check_threads() -> None:
    """Raise ImproperlyConfigured in a uWSGI process whose threads stand still between two requests."""
    # Only uWSGI has it, and puts it there itself. Without an import: that takes locks, perhaps after a fork.
    uwsgi = sys.modules.get("uwsgi")
    # Not `uwsgi.opt`, which lacks enable-threads where it is the default, or follows from `threads`.
    if not getattr(uwsgi, "has_threads", True):
        raise ImproperlyConfigured(
            "uWSGI runs without enable-threads: a job's thread would stand still whenever no request is being "
            "answered. Add enable-threads = true to the configuration of uWSGI, or --enable-threads to its command."
        )


def is_test() -> bool:
    """Whether Django's test environment is set up here."""
    # What setup_test_environment puts there for the time of a test run.
    return hasattr(mail, "outbox")
