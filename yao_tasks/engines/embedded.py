"""The embedded engine: one task's jobs in the memory of this process, run by threads of its own."""

from yao_tasks.engines.looking import Looking
from yao_tasks.engines.retrying import Retrying
from yao_tasks.engines.steering import Steering


class EmbeddedEngine(Retrying, Looking, Steering):
    """The jobs of one task, in memory. Starts its threads with its first job."""

    supports = frozenset(
        {
            "add",
            "add_many",
            "as_completed",
            "cancel",
            "close",
            "get",
            "jobs",
            "metrics",
            "pause",
            "priority",
            "progress",
            "purge",
            "resize",
            "retry",
            "run_after",
            "search",
            "wait",
        }
    )
