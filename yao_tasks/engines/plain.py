"""Async handlers and events as plain ones, for engines that run jobs in the caller's thread."""

import sys
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from dataclasses import replace
from functools import update_wrapper
from threading import Thread
from typing import Any

from yao_tasks import handlers
from yao_tasks.engines.base import Callables

_EVENTS = ("add", "success", "error", "progress")


def plain(callables: Callables) -> Callables:
    """The same, with nothing to await."""
    events = callables.events
    asynchronous = {
        name: Plain(call)
        for name in _EVENTS
        if (call := getattr(events, name)) is not None and handlers.is_async(call)
    }
    handler = callables.handler
    return replace(
        callables,
        handler=Plain(handler) if handlers.is_async(handler) else handler,
        events=replace(events, **asynchronous),
        worker_type="thread",
    )


class Plain:
    """Calls an async function to its end."""

    def __init__(self, function: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        self.function = function
        # With its signature, which the testing kit asks for.
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What it returns. Where an event loop runs in this thread, another one does it meanwhile."""
        from asgiref.sync import async_to_sync

        asyncio = sys.modules["asyncio"]
        if asyncio._get_running_loop() is None:
            return async_to_sync(self.function)(*args, **kwargs)
        return _elsewhere(lambda: asyncio.run(self._awaited(args, kwargs)))

    async def _awaited(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return await self.function(*args, **kwargs)


def _elsewhere(call: Callable[[], Any]) -> Any:
    results: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
            errors.append(error)

    thread = Thread(target=copy_context().run, args=(work,), name="yao_tasks-inline")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
