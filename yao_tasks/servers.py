"""What the server of this process must allow."""

import sys

from django.core.exceptions import ImproperlyConfigured


def check_threads() -> None:
    """Raise ImproperlyConfigured in a uWSGI process whose threads stand still between two requests."""
    # Inside uWSGI the module is there from the start. It isn't imported here: a child that is forked while another
    # thread looks for it would wait for that import for ever.
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return
    # Not `uwsgi.opt`, which lacks enable-threads where it is the default, or follows from `threads`.
    if not getattr(uwsgi, "has_threads", True):
        raise ImproperlyConfigured(
            "uWSGI runs without enable-threads: a job's thread would stand still whenever no request is being "
            "answered. Add enable-threads = true to the configuration of uWSGI, or --enable-threads to its command."
        )
