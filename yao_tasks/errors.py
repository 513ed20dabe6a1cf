"""The errors of yao_tasks, for projects that catch them."""

from yao_tasks.core.errors import (
    BadJobId,
    JobCancelled,
    JobElsewhere,
    JobLost,
    JobNotFound,
    JobTimeout,
    PoolClosed,
    QueueFull,
    TaskNotFound,
    TasksError,
)

__all__ = [
    "BadJobId",
    "JobCancelled",
    "JobElsewhere",
    "JobLost",
    "JobNotFound",
    "JobTimeout",
    "PoolClosed",
    "QueueFull",
    "TaskNotFound",
    "TasksError",
]
