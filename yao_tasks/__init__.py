"""Background tasks for Django without infrastructure.

The public names load on first use, so that importing `yao_tasks.core` brings in no Django.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yao_tasks.core.current import current_job
    from yao_tasks.core.errors import GiveUp, Retry
    from yao_tasks.links import job_url
    from yao_tasks.pools import tasks
    from yao_tasks.process import Process, Progress, register

__all__ = ["GiveUp", "Process", "Progress", "Retry", "current_job", "job_url", "register", "tasks"]

_HOMES = {
    "tasks": "yao_tasks.pools",
    "current_job": "yao_tasks.core.current",
    "job_url": "yao_tasks.links",
    "GiveUp": "yao_tasks.core.errors",
    "Retry": "yao_tasks.core.errors",
    "Process": "yao_tasks.process",
    "Progress": "yao_tasks.process",
    "register": "yao_tasks.process",
}


def __getattr__(name: str) -> Any:
    """Find a public name where it lives (PEP 562)."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'yao_tasks' has no attribute {name!r}") from None
    return getattr(import_module(home), name)
