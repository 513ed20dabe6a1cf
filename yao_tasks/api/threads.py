"""The thread that a request has under ASGI, and its database connections: a stream keeps neither."""

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections


async def let_go() -> None:
    """Close the connections that this request has opened, and end its thread. Called in its own coroutine.

    Django keeps both until the request has been answered, and a stream may take minutes: a thousand of them would be
    a thousand threads, each with a connection. Whatever comes after gets another thread.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.get(context) if context is not None else None
    # One that somebody has given to the context is his; where there is none, all share one thread.
    if executor is None or context is None or getattr(context, "_executor", None) is not None:
        return
    await sync_to_async(close_connections)()
    if SyncToAsync.context_to_thread_executor.get(context) is executor:
        del SyncToAsync.context_to_thread_executor[context]
        # Its thread has nothing to do, and ends by itself.
        executor.shutdown(wait=False)


def close_connections() -> None:
    """Close this thread's database connections, but those that are inside a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
