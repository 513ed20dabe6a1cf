"""manage.py of the site whose processes are killed: with points at which one kills itself, and a machine of its own."""

import os
import signal
import sys
from dataclasses import replace
from typing import Any

import django


def die(*_: Any, **__: Any) -> None:
    """As `kill -9` does it."""
    os.kill(os.getpid(), signal.SIGKILL)


def prepare() -> None:
    """What the environment wants to be different."""
    from yao_tasks.core import machine
    from yao_tasks.engines.durable.parts import DurableParts
    from yao_tasks.journal.durable import endings
    from yao_tasks.journal.durable.holdings import Holdings

    name = os.environ.get("SITE_MACHINE")
    if name:
        here = machine.mine
        machine.mine = lambda: replace(here(), machine=name)
    points: dict[str, tuple[Any, str]] = {
        "after_claim": (Holdings, "deliver"),
        "before_result": (endings, "write"),
        "on_commit": (DurableParts, "wake_workers"),
    }
    point = os.environ.get("SITE_FAILPOINT")
    if point:
        where, method = points[point]
        real = getattr(where, method)

        def fail(*args: Any, **kwargs: Any) -> Any:
            # Only where there is something to lose.
            if any(isinstance(one, list | set) and one for one in args) or point == "on_commit":
                die()
            return real(*args, **kwargs)

        setattr(where, method, fail)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.durable.site")
    django.setup()
    prepare()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
