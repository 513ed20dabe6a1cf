"""What this process has of yao_tasks: the definitions it read, its engines, its clock, its ids.

`ready()` only has the files read. An engine comes when its task is first used, threads with the first job.
After a fork everything is new: a pid that differs says so, since not every server runs Python's fork hooks.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

from yao_tasks import conf, leaving, loading, servers
from yao_tasks.core import current
from yao_tasks.core.children import link
from yao_tasks.core.diary import diary
from yao_tasks.core.ids import Owner
from yao_tasks.core.log import logger
from yao_tasks.engines.base import Engine
from yao_tasks.engines.choice import Build
from yao_tasks.house import LAST_WRITES, House, Outpost, Process

# By pid: what a forked child finds of its parent's is not its own.
_houses: dict[int, House] = {}
# How engines are built in place of the settings' and definitions' own choice: what a test wants.
_build: Build | None = None
_resets = 0
# What this process is, once it has answered a request, or is `runtasks`: then it has little time to leave.
_serving = ""


def engine(task: str) -> Engine:
    """The engine of a task in this process. Raises TaskNotFound, ImproperlyConfigured."""
    try:
        return _houses[os.getpid()].engines[task]
    except KeyError:
        return house().open(task)


def house() -> House:
    """The house of this process. Whoever comes first builds it; it has started nothing yet."""
    mine = _houses.get(os.getpid())
    if mine is not None:
        return mine
    new = House(_process, _build) if link.here is None else Outpost(link.here)
    return _houses.setdefault(os.getpid(), new)


def after_fork() -> None:
    """In a forked child: the parent's jobs are the parent's. Called by Python; the pid alone does without it."""
    global _serving
    _houses.clear()
    _serving = ""
    diary.clear()
    current.leave()
    # Only where they are loaded: they have models.
    if "yao_tasks.journal.durable.lease" in sys.modules:
        sys.modules["yao_tasks.journal.durable.lease"].after_fork()


def reset() -> None:
    """Close the pools, losing what they hold, and forget files and settings. For a change of settings, and tests."""
    global _resets
    loading.forget()
    diary.clear()
    _resets += 1
    old = _houses.pop(os.getpid(), None)
    if old is not None:
        old.close(0)


@contextmanager
def engines_by(build: Build) -> Iterator[None]:
    """Have all tasks of this process built that way meanwhile, a change of settings included. For tests.

    The pools that there were go on, and are back afterwards; new ones, if the settings have changed meanwhile.
    """
    global _build
    pid, outer, resets = os.getpid(), _build, _resets
    before = _houses.pop(pid, None)
    _build = build
    try:
        yield
    finally:
        _build = outer
        _houses.pop(pid, None)
        if before is not None and resets == _resets:
            _houses[pid] = before
        elif before is not None:
            before.close(0)


def serve(role: str = "server") -> None:
    """This process serves: at its end it closes its pools soon, instead of waiting for their jobs.

    `role` is `server`, or `runtasks`, which runs durable jobs from now on; a server does, too, in a moment, unless
    RUN_DURABLE says otherwise.
    """
    global _serving
    if _serving:
        return
    _serving = role
    for fault in loading.loaded().faults:
        logger.error("%s %s", fault.text, fault.hint)
    wanted = conf.current().run_durable
    if role == "runtasks":
        house().work()
    elif wanted or (wanted is None and not servers.is_test()):
        # Handlers are imported: no request waits for that. A test's database is to be deleted, and nobody works on it.
        threading.Thread(target=_work, name="yao_tasks-work", daemon=True).start()


def _work() -> None:
    try:
        house().work()
    except (RuntimeError, ImproperlyConfigured) as error:
        logger.error("This process runs no durable jobs: %s", error)


def close() -> list[int]:
    """Close the pools of this process within DRAIN_TIMEOUT: for a server that learns of its end before Python does.

    Blocks. Answers the ids of the jobs that were lost.
    """
    return house().close(conf.current().drain_timeout)


def reopen() -> None:
    """Have new pools where `close` was called before: a server may start an application again, as tests do."""
    mine = _houses.get(os.getpid())
    if mine is not None and mine.closed:
        del _houses[os.getpid()]


def processes() -> list[int]:
    """The pids of the live processes of this site on this machine that have added jobs."""
    return house().home.ids.processes()


def owners() -> list[Owner]:
    """The processes of this site on this machine that took the last blocks of ids, dead ones too, the oldest first."""
    return house().home.ids.owners()


def is_serving() -> bool:
    """Whether this process has answered a request, or is `runtasks`."""
    return bool(_serving)


def leave() -> None:
    """At the end of the process: a server closes its pools soon, any other waits for its jobs."""
    mine = _houses.get(os.getpid())
    if mine is None or mine.closed:
        return
    closables = mine.closables()
    if _serving or not leaving.wait(closables):
        seconds = conf.current().drain_timeout if _serving else 0.0
    else:
        seconds = leaving.EVENT_SECONDS
    deadline = time.monotonic() + seconds
    leaving.close(closables, seconds)
    mine.home.stop_children()
    mine.home.journal.close(max(LAST_WRITES, deadline - time.monotonic()))
    mine.loops.close()


_process = Process(engine=engine, role=lambda: _serving or "command", leave=leave)

os.register_at_fork(after_in_child=after_fork)
