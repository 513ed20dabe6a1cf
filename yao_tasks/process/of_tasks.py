"""`tasks.<id>.add` and the other verbs of a task."""

from functools import partial
from typing import Any

from yao_tasks import boot, loading
from yao_tasks.core.errors import BadJobId, DuplicateJob, PoolClosed, QueueFull
from yao_tasks.core.faults import shown
from yao_tasks.core.log import logger
from yao_tasks.process.numbers import OF_TASKS, refuse
from yao_tasks.process.words import Call, one_of

# The fields that the original's `get` answers with.
FIELDS = ("id", "status", "current", "total", "message", "response")
REFUSALS = (QueueFull, DuplicateJob, BadJobId, PoolClosed)


def named(rest: str) -> Call:
    """What `tasks.<rest>` means. LookupError where tasks have no such verb."""
    if rest.lower() in OF_TASKS:
        return Call(function=OF_TASKS[rest.lower()])
    task, _, verb = rest.rpartition(".")
    if not task:
        raise LookupError(
            f"{shown('tasks.' + rest)} has no verb. Write tasks.<id>.add, or tasks.metrics.queue_length."
        )
    if task in ("metrics", "statistics", "queue") and task not in loading.known_tasks():
        refuse(rest)
    function, arguments = one_of(_VERBS, verb, f"{shown('tasks.' + rest)}: tasks have no verb")
    return Call(function=partial(function, task), arguments=arguments)


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


def _metrics(task: str) -> dict[str, Any]:
    return boot.engine(task).metrics()


_VERBS = {
    "add": (_add, None),
    "get": (_get, ("the job's id",)),
    "progress": (_progress, ("the job's id", "current", "total?", "message?")),
    "cancel": (_cancel, ("the job's id",)),
    "config": (_config, ()),
    "metrics": (_metrics, ()),
}
