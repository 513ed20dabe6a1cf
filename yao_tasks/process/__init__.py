"""`Process("tasks.welcome_email.add", …)`: the calling convention of the original task system.

A name is a group, a path and a verb; the verb's case does not matter. For a project's own code: nothing here
is reachable over HTTP.

    tasks.<id>.<verb>  tasks.metrics.…  tasks.statistics.…  tasks.queue.…    of_tasks, numbers
    system.monitor.…                                                         numbers
    scripts.<module>.<function>                                              scripts
    models.<name>.<verb>                                                     rows
    logs.search                                                              logs
"""

from collections.abc import Callable
from typing import Any

from yao_tasks import boot, handlers
from yao_tasks.core.current import current_job
from yao_tasks.core.faults import shown
from yao_tasks.handlers import register as register  # public as yao_tasks.register
from yao_tasks.process import logs, numbers, of_tasks, rows, scripts
from yao_tasks.process.of_tasks import FIELDS as FIELDS
from yao_tasks.process.words import Call, call

# Each answers with what a name means, the rest of it behind the group's own; LookupError where it means nothing.
_GROUPS: dict[str, Callable[[str], Call]] = {
    "tasks": of_tasks.named,
    "scripts": scripts.named,
    "models": rows.named,
    "system": numbers.of_system,
    "logs": logs.named,
}


def Process(name: str, /, *args: Any) -> Any:  # noqa: N802 - the original's name
    """Call a process by name; answers what it answers.

    Names are `tasks.<id>.<verb>`, numbers such as `tasks.metrics.success_rate` and `system.monitor.load`,
    `models.<name>.<verb>`, `logs.search`, `scripts.<module>.<function>`, and those given with `@register`. Raises
    LookupError for a name that is none (a task: TaskNotFound), TypeError for too few or too many arguments,
    JobNotFound, ImproperlyConfigured, and what the called function raises. Any thread may call it.
    """
    if not isinstance(name, str):
        raise TypeError(f'Process: {shown(name)} is no name. Give a text, such as "tasks.welcome_email.add".')
    handlers.autodiscover()
    if name in handlers.registered:
        return handlers.registered[name](*args)
    group, _, rest = name.partition(".")
    if group not in _GROUPS or not rest:
        raise LookupError(
            f"No process is named {shown(name)}. Names are tasks.<id>.<verb>, models.<name>.<verb>, "
            "scripts.<module>.<function>, system.monitor.status, logs.search, and those given with @register."
        )
    return call(name, _GROUPS[group](rest), args)


def Progress(name: str, job_id: int, current: float, total: float = 0, message: str = "") -> None:  # noqa: N802
    """Report progress as the original's handlers do: `Progress("tasks.<id>.process", id, 3, 10, "rendering")`.

    Inside a run its own id means that run, whatever task is named. Raises JobNotFound once the job has ended.
    """
    job = current_job()
    if job is not None and job.id == job_id:
        job.progress(current, total, message)
        return
    task = name.removeprefix("tasks.").rpartition(".")[0] if isinstance(name, str) else ""
    if not task or not name.startswith("tasks."):
        raise LookupError(f'Progress: {shown(name)} names no task. Give "tasks.<id>.process".')
    boot.engine(task).progress(job_id, current, total, message)
