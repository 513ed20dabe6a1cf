"""Where `sync_to_async` goes inside a run: into the thread that is lent to it, which Django's ORM then uses, too."""

from concurrent.futures import Executor
from contextvars import Context


def context_with(executor: Executor) -> Context:
    """A context in which work that asgiref keeps in one thread goes to `executor`, which knows whose it is.

    asgiref keeps an executor for each of its thread-sensitive contexts. Here one such context stands for all runs,
    and the executor tells them apart: one for each run would be a thread for each, and ends by a join.
    """
    # Here, not above: it imports asyncio, which costs each start of a process 20 ms.
    from asgiref.sync import SyncToAsync, ThreadSensitiveContext

    context = Context()
    sensitive = ThreadSensitiveContext()
    # asgiref holds it weakly: as long as this context is there, it is.
    context.run(SyncToAsync.thread_sensitive_context.set, sensitive)
    SyncToAsync.context_to_thread_executor[sensitive] = executor
    return context
