"""What process workers need of the process that starts their children."""

import os
from collections.abc import Callable

from django.conf import settings as django_settings

from yao_tasks import conf, surroundings
from yao_tasks.core.children.frames import ROOM
from yao_tasks.core.children.spawner import Spawner
from yao_tasks.core.workers.process import Children
from yao_tasks.engines.base import Engine
from yao_tasks.engines.desk import PoolDesk


def children(settings: conf.Settings, engine: Callable[[str], Engine]) -> Children:
    """What process workers need of this process. `engine`: of a task, for what its children's jobs ask for."""
    return Children(
        spawner=Spawner(child_environ, most=settings.max_result + ROOM),
        jobs=settings.child_jobs,
        memory=settings.child_memory and settings.child_memory * 2**20,
        setup=lambda: {
            "dirs": [str(folder) for folder in settings.dirs],
            "around": settings.around,
            "max_result": settings.max_result,
        },
        desk=lambda channel: PoolDesk(channel, engine),
        carried=surroundings.carried,
    )


def child_environ() -> dict[str, str]:
    """The environment of a child: this process's, with the settings that it really uses."""
    module = getattr(django_settings, "SETTINGS_MODULE", None)
    return {**os.environ, **({"DJANGO_SETTINGS_MODULE": module} if module else {})}
