"""The errors of yao_tasks, for projects that catch them."""

from yao_tasks.core.errors import (
    BadJobId,
    DuplicateJob,
    GiveUp,
    JobCancelled,
    JobElsewhere,
    JobExpired,
    JobLost,
    JobNotFound,
    JobTimeout,
    PoolClosed,
    PoolSaturated,
    QueueFull,
    RemoteError,
    Retry,
    TaskNotFound,
    TasksError,
)

__all__ = [
    "BadJobId",
    "DuplicateJob",
    "GiveUp",
    "JobCancelled",
    "JobElsewhere",
    "JobExpired",
    "JobLost",
    "JobNotFound",
    "JobTimeout",
    "PoolClosed",
    "PoolSaturated",
    "QueueFull",
    "RemoteError",
    "Retry",
    "TaskNotFound",
    "TasksError",
]
