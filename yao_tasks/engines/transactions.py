"""Jobs that wait for a commit.

Django calls an `on_commit` callback after the commit, or drops it: at a rollback, and when an earlier
callback raised. A dropped one is noticed by its finalizer, which may run anywhere, even inside a lock: it
only puts the job into a `SimpleQueue`, whose `put` is reentrant by contract.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.core.jobs import Job
from yao_tasks.engines.base import Block

Held = TypeVar("Held")

Dropped = SimpleQueue[tuple[Job, bool]]
"""Jobs whose callback was dropped, and whether the transaction was committed all the same."""
DroppedIds = SimpleQueue[tuple[int, bool]]
"""The same for durable ones, by id."""


def open_block(database: str | None) -> BaseDatabaseWrapper | None:
    """The calling thread's connection to the database, if it is in an `atomic` block; else None."""
    alias = database or DEFAULT_DB_ALIAS
    loop = _running_loop or _look_for_asyncio()
    if _storage is None or (loop is not None and loop() is not None):
        connection = transaction.get_connection(alias)
    else:
        connection = getattr(_storage, alias, None)
    return connection if connection is not None and connection.in_atomic_block else None


_running_loop: Callable[[], object] | None = None


def _look_for_asyncio() -> Callable[[], object] | None:
    # Where nobody has imported asyncio there is no loop; importing it costs a process 20 ms.
    global _running_loop
    asyncio = sys.modules.get("asyncio")
    _running_loop = getattr(asyncio, "_get_running_loop", None)
    return _running_loop


def _plain_storage() -> threading.local | None:
    # Where Django keeps a thread's connections, outside coroutines: read directly it costs a tenth of
    # `get_connection`, which was the largest cost of an `add`. Where it isn't what we know, we ask Django.
    storage = getattr(getattr(connections, "_connections", None), "_storage", None)
    return storage if isinstance(storage, threading.local) else None


_storage = _plain_storage()


def hold(
    committed: Callable[[], None],
    jobs: Sequence[Held],
    block: Block,
    dropped: "SimpleQueue[tuple[Held, bool]]",
) -> None:
    """Have `committed()` called in this thread after the commit, or else the jobs put into `dropped`."""
    block.on_commit(_Commit(committed, jobs, block, dropped), robust=True)


class _Commit:
    def __init__(
        self,
        committed: Callable[[], None],
        jobs: Sequence[Any],
        connection: Block,
        dropped: "SimpleQueue[tuple[Any, bool]]",
    ) -> None:
        self.committed = committed
        self.jobs = jobs
        self.connection = connection
        self.dropped = dropped
        self.called = False
        # Django names a callback that raised by this.
        self.__qualname__ = "yao_tasks: start the job"

    def __call__(self) -> None:
        self.called = True
        self.committed()

    def __del__(self) -> None:
        if not self.called:
            for job in self.jobs:
                # Django drops callbacks while it rolls back, before it switches autocommit on again.
                self.dropped.put((job, self.connection.autocommit))
