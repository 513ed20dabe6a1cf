"""Why a pool didn't take a job, in the reader's words."""

from django.utils.translation import gettext

from yao_tasks.core.errors import (
    BadJobId,
    DuplicateJob,
    PoolClosed,
    PoolSaturated,
    QueueFull,
)

REFUSALS = (QueueFull, DuplicateJob, BadJobId, PoolClosed)


def refusal(error: Exception) -> str:
    """The reason as a sentence. `error`: one of `REFUSALS`."""
    match error:
        case PoolSaturated():
            return gettext("All workers of the pool hang.")
        case QueueFull():
            return gettext("The queue is full: try again later.")
        case DuplicateJob():
            return gettext("Job %(id)d has the same arguments or key.") % {"id": error.job_id}
        case PoolClosed():
            return gettext("The pool is closed.")
    return str(error)
