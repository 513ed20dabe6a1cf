"""What a child makes of what it is told first: Django as its parent has it, and the task's handler."""

import sys
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings

from yao_tasks.core.children.link import Link

if TYPE_CHECKING:
    from yao_tasks.child.runs import Runs


def set_up(link: Link, setup: dict[str, Any]) -> "Runs":
    """Make ready for a task. Raises what the project's settings and apps raise; a handler is looked for again later."""
    # The folders of the parent's definitions: so that both know the same tasks.
    settings.YAO_TASKS = {**getattr(settings, "YAO_TASKS", {}), "DIRS": setup["dirs"]}
    _forget_definitions()
    django.setup()
    from yao_tasks.child import logs
    from yao_tasks.child.runs import Runs

    logs.forward(link)
    return Runs(link, setup)


def _forget_definitions() -> None:
    # Where it was set up for another task before.
    for name, function in (("yao_tasks.conf", "reset"), ("yao_tasks.loading", "forget")):
        if name in sys.modules:
            getattr(sys.modules[name], function)()
