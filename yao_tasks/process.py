"""`Process("tasks.welcome_email.add", …)`: the calling convention of the original task system.

A name is a group, a path and a verb; the verb's case does not matter. For a project's own code: nothing here
is reachable over HTTP.
"""

import sys
from collections.abc import Callable
from typing import Any

from yao_tasks import boot, handlers, loading
from yao_tasks.core.current import current_job
from yao_tasks.core.errors import BadJobId, DuplicateJob, PoolClosed, QueueFull
from yao_tasks.core.log import logger
from yao_tasks.handlers import register as register  # public as yao_tasks.register

# The fields that the original's `get` answers with.
FIELDS = ("id", "status", "current", "total", "message", "response")
REFUSALS = (QueueFull, DuplicateJob, BadJobId, PoolClosed)


def Process(name: str, /, *args: Any) -> Any:  # noqa: N802 - the original's name
    """Call a process by name; answers what it answers.

    Names are `tasks.<id>.add|get|progress|cancel|config`, `scripts.<module>.<function>`, and those given with
    `@register`. Raises TaskNotFound, JobNotFound, ImproperlyConfigured, LookupError for a name that is none, and
    what the called function raises.
    """
    handlers.autodiscover()
    if name in handlers.registered:
        return handlers.registered[name](*args)
    group, _, rest = name.partition(".")
    if group == "tasks" and "." in rest:
        task, _, verb = rest.rpartition(".")
        return _verb(name, verb)(task, *args)
    if group == "scripts" and "." in rest:
        return _script(name)(*args)
    raise LookupError(
        f'No process is named "{name}". '
        "Names are tasks.<id>.<verb>, scripts.<module>.<function>, and those given with @register."
    )


def Progress(name: str, job_id: int, current: float, total: float = 0, message: str = "") -> None:  # noqa: N802
    """Report progress as the original's handlers do: `Progress("tasks.<id>.process", id, 3, 10, "rendering")`.

    Inside a run its own id means that run, whatever task is named. Raises JobNotFound once the job has ended.
    """
    job = current_job()
    if job is not None and job.id == job_id:
        job.progress(current, total, message)
    else:
        task = name.removeprefix("tasks.").rpartition(".")[0]
        boot.engine(task).progress(job_id, current, total, message)


def _script(name: str) -> Callable[..., Any]:
    function = handlers.resolve(name)
    module = name.rpartition(".")[0]
    if module not in sys.modules:
        # What a module of scripts happens to have imported (`scripts.task.os.system`) is not the project's own.
        raise LookupError(f'"{name}": "{module}" is no module. Name a function of a module of scripts.')
    return function


def _verb(name: str, verb: str) -> Callable[..., Any]:
    try:
        return _VERBS[verb.lower()]
    except KeyError:
        raise LookupError(f'"{name}": tasks have no verb "{verb}". They have {", ".join(_VERBS)}.') from None


def _add(task: str, *args: Any) -> int:
    """The job's id, or 0 with a line in the log where the pool refused it."""
    engine = boot.engine(task)
    try:
        # Foreign code: whatever it raises is a refusal.
        job_id = engine.next_id()
    except Exception as error:  # noqa: BLE001
        logger.warning("%s: no job was added, since event.next failed: %s", task, error, exc_info=error)
        return 0
    try:
        return engine.add(args, {}, job_id=job_id)
    except REFUSALS as error:
        logger.warning("%s: no job was added: %s", task, error)
        return 0


def _get(task: str, job_id: int) -> dict[str, Any]:
    info = boot.engine(task).get(job_id)
    return {field: getattr(info, field) for field in FIELDS}


def _progress(task: str, job_id: int, current: float, total: float = 0, message: str = "") -> None:
    boot.engine(task).progress(job_id, current, total, message)


def _cancel(task: str, job_id: int) -> bool:
    return boot.engine(task).cancel(job_id)


def _config(task: str) -> dict[str, Any]:
    return dict(loading.definition_of(task))


_VERBS: dict[str, Callable[..., Any]] = {
    "add": _add,
    "get": _get,
    "progress": _progress,
    "cancel": _cancel,
    "config": _config,
}
