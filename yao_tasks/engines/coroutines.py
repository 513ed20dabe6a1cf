"""Coroutine workers for an embedded pool. Imported only where there is one: asyncio costs a process 20 ms."""

from yao_tasks import handlers
from yao_tasks.core.announcer import Events
from yao_tasks.core.runs import Runner
from yao_tasks.core.workers.coroutine import CoroutineWorkers
from yao_tasks.core.workers.telling import on_loop
from yao_tasks.engines.base import Home


def workers(runner: Runner, home: Home) -> CoroutineWorkers:
    """The workers of one pool, in the event loop of the process."""
    return CoroutineWorkers(runner, home.loop())


def callable_events(events: Events, home: Home) -> Events:
    """The events, each of which any thread but the loop's may call."""
    return on_loop(events, home.loop(), is_async=handlers.is_async)
