"""Why a pool takes no job just now, as exceptions."""

from typing import NoReturn

from yao_tasks.core.errors import BadJobId, DuplicateJob, PoolClosed, PoolSaturated, QueueFull


def refuse(
    task: str, job_id: int, *, closing: bool, taken: bool, twin: int, saturated: int, size: int
) -> NoReturn:
    """Raise what fits best: PoolClosed, BadJobId, DuplicateJob (`twin`: the other's id), PoolSaturated, QueueFull.

    `saturated`: how many workers there are, all of them stuck; 0: some are not.
    """
    if closing:
        raise closed(task)
    if taken:
        raise BadJobId(f'Job {job_id} of "{task}" exists already. Let event.next return a new id each time.')
    if twin:
        raise duplicate(task, twin)
    if saturated:
        raise PoolSaturated(
            f'All {saturated} workers of "{task}" are stuck in runs that have timed out or were '
            "cancelled. What waits will run when one comes back; look at their stacks in metrics()."
        )
    raise full(task, size)


def closed(task: str) -> PoolClosed:
    """Of a pool that was closed."""
    return PoolClosed(f'The pool of "{task}" is closed: it takes no more jobs.')


def duplicate(task: str, twin: int) -> DuplicateJob:
    """Of a job that equals the live one with that id."""
    return DuplicateJob(f'"{task}" has a job like this already, {twin}, which has not ended.', job_id=twin)


def full(task: str, size: int) -> QueueFull:
    """Of a queue that holds as many as the definition's size allows."""
    return QueueFull(
        f'"{task}" has {size} jobs waiting beyond its free workers, as many as its "size" allows. '
        "Add the job later, or raise size or worker_nums."
    )
