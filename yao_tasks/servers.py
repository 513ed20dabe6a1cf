"""What the server of this process must allow."""

from importlib import import_module

from django.core.exceptions import ImproperlyConfigured


def check_threads() -> None:
    """Raise ImproperlyConfigured in a uWSGI process whose threads stand still between two requests."""
    try:
        uwsgi = import_module("uwsgi")
    except ImportError:  # The module exists only inside uWSGI.
        return
    # Not `uwsgi.opt`, which lacks enable-threads where it is the default, or follows from `threads`.
    if not getattr(uwsgi, "has_threads", True):
        raise ImproperlyConfigured(
            "uWSGI runs without enable-threads: a job's thread would stand still whenever no request is being "
            "answered. Add enable-threads = true to the configuration of uWSGI, or --enable-threads to its command."
        )
