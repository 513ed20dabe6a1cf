"""What the verbs of `manage.py tasks` do that steer a task: a durable one, since that is seen from everywhere."""

from typing import Any

from yao_tasks import loading
from yao_tasks.core.definitions import Definition
from yao_tasks.core.errors import TaskNotFound
from yao_tasks.management.answers import Answer, NotVisible, UsageError, table
from yao_tasks.pools import tasks

# Of a pool's numbers, those that a command can see: of all processes, from the rows.
_SEEN = ("waiting", "delayed", "oldest_waiting", "paused")


def run_pause(task: str) -> Answer:
    """Start no more jobs of a durable task, in any process, until somebody resumes it."""
    _durable(task, "paused")
    tasks[task].pause()
    return Answer(lines=[f"{task} is paused in every process."], data={"task": task, "paused": True})


def run_resume(task: str) -> Answer:
    """Start jobs of a paused task again."""
    _durable(task, "resumed")
    tasks[task].resume()
    return Answer(lines=[f"{task} is resumed."], data={"task": task, "paused": False})


def run_resize(task: str, worker_nums: int) -> Answer:
    """Change how many workers a pool has. A command can't: each process has workers of its own."""
    _definition(task)
    raise NotVisible(
        f'How many workers "{task}" has is a matter of each process, which can\'t be reached from a command. '
        f'Set "worker_nums" to {worker_nums} in its definition, or resize it in the dashboard.'
    )


def run_metrics(task: str) -> Answer:
    """What waits of a durable task, in all processes."""
    _durable(task, "counted")
    numbers = tasks[task].metrics()
    seen: dict[str, Any] = {"task": task, **{name: numbers[name] for name in _SEEN}}
    return Answer(lines=list(table(("what", "now"), [(name, str(seen[name])) for name in _SEEN])), data=seen)


def _definition(task: str) -> Definition:
    try:
        return loading.definition_of(task)
    except TaskNotFound as error:
        raise UsageError(str(error)) from error


def _durable(task: str, what: str) -> None:
    if not _definition(task).durable:
        raise NotVisible(
            f'The pool of "{task}" is in the memory of each process, and can\'t be {what} from a command: only that '
            'of a task with "durable": true can. Use the dashboard.'
        )
