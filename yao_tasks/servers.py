"""The server of this process: what it must allow, how much it can do at once, whether it is about to leave."""

import signal
import sys
from collections.abc import Mapping
from typing import Any

from django.core import mail
from django.core.exceptions import ImproperlyConfigured

# Of a server that nobody has told us of: as many threads as waitress has.
UNKNOWN_THREADS = 4


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


def is_leaving() -> bool:
    """Whether the server of this process was told to stop, and waits for its answers to end.

    It is asked through its own handler of SIGTERM: ASGI says so only when all answers have ended, WSGI never does.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    # uvicorn's server has the one, gunicorn's worker the other.
    return getattr(server, "should_exit", False) is True or getattr(server, "alive", True) is False


def threads(environ: Mapping[str, Any]) -> int | None:
    """How many requests this process answers at once; None: as many as one likes, or as good as.

    `environ`: of a WSGI request, or what ASGI has of it.
    """
    if "wsgi.multithread" not in environ:
        return None
    if not environ["wsgi.multithread"]:
        return 1
    if environ.get("SERVER_SOFTWARE", "").startswith("WSGIServer/"):
        # Django's own for development: a thread for each request.
        return None
    config = getattr(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), "cfg", None)
    uwsgi = getattr(sys.modules.get("uwsgi"), "opt", {})
    for found in (getattr(config, "threads", None), uwsgi.get("threads")):
        if found is not None:
            return max(1, int(found))
    return UNKNOWN_THREADS


def spare_threads(environ: Mapping[str, Any]) -> int | None:
    """How many of these may wait for something at once, beside event streams; None: as many as one likes."""
    all_of_them = threads(environ)
    return None if all_of_them is None else max(0, all_of_them - stream_threads(all_of_them) - 1)


def stream_threads(all_of_them: int) -> int:
    """How many threads of a server event streams may hold: the other half answers the site's users."""
    return all_of_them // 2


def is_test() -> bool:
    """Whether Django's test environment is set up here."""
    # What setup_test_environment puts there for the time of a test run.
    return hasattr(mail, "outbox")
