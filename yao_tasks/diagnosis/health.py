"""`health_check`: a function beside a handler that raises, or answers False, while the handler can't do its work.

Each is called in a thread of its own, so that one that hangs holds nobody up; while it hangs it isn't called again, and
its answer is good for some seconds, however many look at the page.
"""

import asyncio
import inspect
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from yao_tasks import handlers
from yao_tasks.core.definitions import Definition
from yao_tasks.core.faults import printable

NAME = "health_check"
# So long one is waited for, from its beginning (s).
SECONDS = 5.0
# So long an answer is good (s).
FRESH = 10.0
# What a page shows of an exception.
LENGTH = 300

Check = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a task's `health_check` said. `is_asked` is False where there is none."""

    is_asked: bool = True
    is_late: bool = False
    """It has not answered within `SECONDS`."""
    error: str = ""
    """What it raised or answered; empty for a healthy one."""

    @property
    def is_good(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.error and not self.is_late


@dataclass(slots=True, eq=False)
class _Visit:
    """One call of a check."""

    began: float
    done: threading.Event = field(default_factory=threading.Event)
    ended: float = 0.0
    error: str = ""


_visits: dict[tuple[int, Check], _Visit] = {}
# Guards these. Reentrant: a finalizer may ask while a thread is made.
_guard = threading.RLock()


def ask_all(definitions: Iterable[Definition]) -> dict[str, Health]:
    """By task, of those whose handlers can be imported. Waits for `SECONDS` at most."""
    visits: dict[str, _Visit | None] = {}
    for definition in definitions:
        try:
            handler = handlers.resolve(definition.process)
        except handlers.HandlerError:
            continue
        check = check_beside(definition.process, handler)
        visits[definition.id] = None if check is None else _visit(check)
    return {task: _health(visit) for task, visit in visits.items()}


def check_beside(process: str, handler: handlers.Handler) -> Check | None:
    """The `health_check` of the module in which a definition names its handler, else of where that comes from."""
    for name in (process.rpartition(".")[0], getattr(handler, "__module__", None) or ""):
        check = getattr(sys.modules.get(name), NAME, None)
        if callable(check):
            return check  # type: ignore[no-any-return]
    return None


def _visit(check: Check) -> _Visit:
    now, pid = time.monotonic(), os.getpid()
    with _guard:
        for key, old in list(_visits.items()):
            # What a forked child finds of its parent's will never be done.
            if key[0] != pid or (old.done.is_set() and now - old.ended >= FRESH):
                del _visits[key]
        known = _visits.get((pid, check))
        if known is not None:
            return known
        visit = _visits[pid, check] = _Visit(now)
    threading.Thread(target=_call, args=(check, visit), name="yao_tasks-health", daemon=True).start()
    return visit


def _call(check: Check, visit: _Visit) -> None:
    try:
        answer = check()
        if inspect.isawaitable(answer):
            answer = asyncio.run(_await(answer))
        if answer is False:
            visit.error = "False"
    # Foreign code, in a thread that is ours.
    except BaseException as error:  # noqa: BLE001
        visit.error = printable(f"{type(error).__name__}: {error}")[:LENGTH]
    finally:
        connections.close_all()
        visit.ended = time.monotonic()
        visit.done.set()


async def _await(answer: Any) -> Any:
    return await answer


def _health(visit: _Visit | None) -> Health:
    if visit is None:
        return Health(is_asked=False)
    # From its beginning: who looks again needn't wait for one that is known to hang.
    if not visit.done.wait(max(0.0, visit.began + SECONDS - time.monotonic())):
        return Health(is_late=True)
    return Health(error=visit.error)
