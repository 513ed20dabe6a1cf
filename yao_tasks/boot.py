"""What this process has of yao_tasks: the definitions it read, its engines, its clock, its ids.

`ready()` only has the files read. An engine comes when its task is first used, threads with the first job.
After a fork everything is new: a pid that differs says so, since not every server runs Python's fork hooks.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from yao_tasks import callables, conf, connections, leaving, loading, servers, surroundings
from yao_tasks.core import current, listening
from yao_tasks.core.children import link
from yao_tasks.core.children.frames import ROOM
from yao_tasks.core.children.spawner import Spawner
from yao_tasks.core.clock import Clock
from yao_tasks.core.definitions import Definition
from yao_tasks.core.diary import diary
from yao_tasks.core.errors import TaskNotFound
from yao_tasks.core.ids import Ids, Owner
from yao_tasks.core.keys import nearest
from yao_tasks.core.log import logger
from yao_tasks.core.starvation import Starvation
from yao_tasks.core.workers.process import Children
from yao_tasks.engines.base import Engine, Home
from yao_tasks.engines.choice import ENGINES, Build
from yao_tasks.engines.desk import PoolDesk
from yao_tasks.engines.forwarded import Engines
from yao_tasks.loops import LoopOfProcess

if TYPE_CHECKING:
    from yao_tasks.core.workers.lag import Running
    from yao_tasks.journal.durable.desks import Claimant

# What the journal is given to write the last ends (s).
LAST_WRITES = 1.0


class House:
    """The tasks of one process. A fork, a test and a change of settings get a new one."""

    def __init__(self, build: Build | None = None) -> None:
        # Only now: they have models, which no module may import before the apps are loaded.
        from yao_tasks.journal.journal import Journal
        from yao_tasks.journal.pruning import Keep

        settings = conf.current()
        self.build = build
        self.engines: dict[str, Engine] = {}
        self.closed = False
        self.loops = LoopOfProcess(self._coroutines)
        clock = Clock(busy=lambda: self.starvation.attend())
        self.starvation = Starvation(self._running, lambda: clock.is_watching, self.loops.look)
        self.home = Home(
            clock=clock,
            ids=Ids(settings.state_dir),
            retention=settings.retention,
            retention_max=settings.retention_max,
            tidy=connections.tidy,
            opening=self._opening,
            journal=Journal(
                settings.database,
                most_result=settings.max_result,
                keep=Keep(days=settings.record_days, most=settings.record_max),
                role=lambda: "server" if _serving else "command",
                release=settings.release or "",
                folder=settings.state_dir,
                poll=settings.poll_interval,
                known=_known_tasks,
            ),
            carriers=surroundings.carriers(),
            restore=surroundings.restore,
            loop=self.loops.loop,
            children=children(settings),
        )

    def open(self, task: str) -> Engine:
        """The task's engine, made if need be. TaskNotFound, ImproperlyConfigured."""
        definition = definition_of(task)
        build = self.build or ENGINES[definition.engine or conf.current().engine]
        # No lock around the imports: one that another thread imports may want a task itself. Two engines may
        # be built then; the first stays, and the other has started nothing.
        return self.engines.setdefault(task, build(definition, callables.imported(definition), self.home))

    def work(self) -> None:
        """Run durable jobs in this process from now on. What is wrong with a task is logged; the others run."""
        journal = self.home.journal
        if journal.works or self.closed or not (tasks := _durable_tasks()):
            return
        journal.works = True
        claimants = []
        for task in tasks:
            try:
                claimants.append(self.engines.get(task) or self.open(task))
            except ImproperlyConfigured as error:
                logger.error("%s: its durable jobs can't be run here: %s", task, error)
        self._opening()
        # Inline, or of a test's own making, they claim nothing.
        journal.work(cast("Claimant", engine) for engine in claimants if "durable" in engine.supports)

    def live(self) -> int:
        """How many jobs wait or run."""
        return sum(engine.live() for engine in list(self.engines.values()))

    def refuse(self) -> None:
        """Take no more jobs, and let the running ones know."""
        for engine in list(self.engines.values()):
            engine.refuse()

    def settle_down(self, seconds: float) -> None:
        """Wait until no job lives, or so long at most."""
        deadline = time.monotonic() + seconds
        for engine in list(self.engines.values()):
            engine.settle_down(deadline)

    def close(self, seconds: float) -> list[int]:
        """Close all pools within that time, and end the clock. Answers the ids of the jobs that were lost."""
        self.closed = True
        deadline = time.monotonic() + seconds
        lost = leaving.close(list(self.engines.values()), seconds)
        self.home.journal.close(max(LAST_WRITES, deadline - time.monotonic()))
        self.home.clock.stop()
        self.starvation.stop()
        self.loops.close()
        self.home.stop_children()
        return lost

    def _running(self) -> list[str]:
        """The tasks that run just now, as often as they do."""
        engines = list(self.engines.items())
        return [task for task, engine in engines for _ in range(engine.running())]

    def _coroutines(self) -> "list[Running]":
        """The runs that are coroutines just now."""
        return [run for engine in list(self.engines.values()) for run in engine.coroutines()]

    def _opening(self) -> None:
        if self.closed:
            raise RuntimeError("its pools were closed")
        servers.check_threads()
        leaving.at_exit(leave)
        listening.listen()
        self.home.clock.start()


class Outpost(House):
    """The house of a process worker's child: its pools are its parent's, and it starts nothing."""

    def __init__(self, here: link.Link) -> None:
        self.closed = True
        self.engines = Engines(here)

    def open(self, task: str) -> Engine:
        """The task's pool, in the parent."""
        return self.engines[task]


# By pid: what a forked child finds of its parent's is not its own.
_houses: dict[int, House] = {}
# How engines are built in place of the settings' and definitions' own choice: what a test wants.
_build: Build | None = None
_resets = 0
# Whether this process has answered a request, or is `runtasks`: then it has little time to leave.
_serving = False


def children(settings: conf.Settings) -> Children:
    """What process workers need of this process."""
    return Children(
        spawner=Spawner(child_environ, most=settings.max_result + ROOM),
        jobs=settings.child_jobs,
        memory=settings.child_memory and settings.child_memory * 2**20,
        setup=lambda: {
            "dirs": [str(folder) for folder in settings.dirs],
            "around": settings.around,
            "max_result": settings.max_result,
        },
        desk=lambda channel: PoolDesk(channel, engine),
        carried=surroundings.carried,
    )


def child_environ() -> dict[str, str]:
    """The environment of a child: this process's, with the settings that it really uses."""
    module = getattr(django_settings, "SETTINGS_MODULE", None)
    return {**os.environ, **({"DJANGO_SETTINGS_MODULE": module} if module else {})}


def engine(task: str) -> Engine:
    """The engine of a task in this process. Raises TaskNotFound, ImproperlyConfigured."""
    try:
        return _houses[os.getpid()].engines[task]
    except KeyError:
        return house().open(task)


def house() -> House:
    """The house of this process. Whoever comes first builds it; it has started nothing yet."""
    return _houses.setdefault(os.getpid(), House(_build) if link.here is None else Outpost(link.here))


def definition_of(task: str) -> Definition:
    """The definition of a task. TaskNotFound; ImproperlyConfigured with all that is wrong with its file."""
    read = loading.loaded()
    definition = read.definitions.get(task)
    if definition is not None:
        return definition
    faults = [f"{fault.text} {fault.hint}" for fault in read.faults if fault.task == task]
    if faults:
        raise ImproperlyConfigured(" ".join(faults))
    raise TaskNotFound(f'No task is named "{task}". {nearest(task, read.task_ids)}')


def after_fork() -> None:
    """In a forked child: the parent's jobs are the parent's. Called by Python; the pid alone does without it."""
    global _serving
    _houses.clear()
    _serving = False
    diary.clear()
    current.leave()


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


def serve() -> None:
    """This process serves: at its end it closes its pools soon, instead of waiting for their jobs.

    Durable jobs run in it from now on, unless RUN_DURABLE says otherwise.
    """
    global _serving
    if not _serving:
        _serving = True
        for fault in loading.loaded().faults:
            logger.error("%s %s", fault.text, fault.hint)
        wanted = conf.current().run_durable
        # A test's rows are in its transaction, and its database is to be deleted: there only who asks for it works.
        if wanted or (wanted is None and not servers.is_test()):
            # Handlers are imported: no request waits for that.
            threading.Thread(target=house().work, name="yao_tasks-work", daemon=True).start()


def _durable_tasks() -> list[str]:
    return [one.id for one in loading.loaded().definitions.values() if one.durable]


def _known_tasks() -> list[str]:
    """The ids of all tasks, former ones too."""
    read = loading.loaded()
    return [*read.task_ids, *(former for one in read.definitions.values() for former in one.formerly)]


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
    return _serving


def leave() -> None:
    """At the end of the process: a server closes its pools soon, any other waits for its jobs."""
    mine = _houses.get(os.getpid())
    if mine is None or mine.closed:
        return
    engines = list(mine.engines.values())
    if _serving or not leaving.wait(engines):
        seconds = conf.current().drain_timeout if _serving else 0.0
    else:
        seconds = leaving.EVENT_SECONDS
    deadline = time.monotonic() + seconds
    leaving.close(engines, seconds)
    mine.home.stop_children()
    mine.home.journal.close(max(LAST_WRITES, deadline - time.monotonic()))
    mine.loops.close()


os.register_at_fork(after_in_child=after_fork)
