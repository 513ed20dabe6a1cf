"""What a process has of yao_tasks: its engines, its clock, its ids, its journal."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from django.core.exceptions import ImproperlyConfigured

from yao_tasks import callables, conf, connections, leaving, loading, offspring, servers, surroundings
from yao_tasks.core import listening
from yao_tasks.core.children import link
from yao_tasks.core.clock import Clock
from yao_tasks.core.ids import Ids
from yao_tasks.core.jobs import JobInfo
from yao_tasks.core.log import logger
from yao_tasks.core.starvation import Starvation
from yao_tasks.engines.base import Engine, Home
from yao_tasks.engines.choice import ENGINES, Build
from yao_tasks.engines.forwarded import Engines
from yao_tasks.loops import LoopOfProcess

if TYPE_CHECKING:
    from yao_tasks.core.workers.lag import Running
    from yao_tasks.journal.durable.desks import Claimant
    from yao_tasks.journal.journal import Journal

# What the journal is given to write the last ends (s).
LAST_WRITES = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What its house needs of the process around it."""

    engine: Callable[[str], Engine]
    """The engine of a task, as children's jobs ask for it."""
    role: Callable[[], str]
    """`server`, `runtasks` or `command`."""
    leave: Callable[[], None]
    """Called at its end."""


class House:
    """The tasks of one process. A fork, a test and a change of settings get a new one."""

    def __init__(self, process: Process, build: Build | None = None) -> None:
        """`build`: how engines are made in place of the settings' and definitions' own choice."""
        settings = conf.current()
        self.process = process
        self.build = build
        self.engines: dict[str, Engine] = {}
        self.flows: leaving.Closable | None = None
        """The workflows in its memory, from the first of them on."""
        self.closed = False
        self.loops = LoopOfProcess(self._coroutines)
        clock = Clock(busy=lambda: self.starvation.attend())
        self.starvation = Starvation(self._running, lambda: clock.is_watching, self.loops.look)
        ids = Ids(settings.state_dir)
        self.home = Home(
            clock=clock,
            ids=ids,
            retention=settings.retention,
            retention_max=settings.retention_max,
            tidy=connections.tidy,
            opening=self._opening,
            journal=_journal(settings, process, ids),
            carriers=surroundings.carriers(),
            restore=surroundings.restore,
            loop=self.loops.loop,
            children=offspring.children(settings, process.engine),
        )

    def open(self, task: str) -> Engine:
        """The task's engine, made if need be. TaskNotFound, ImproperlyConfigured."""
        definition = loading.definition_of(task)
        build = self.build or ENGINES[definition.engine or conf.current().engine]
        # No lock around the imports: one that another thread imports may want a task itself. Two engines may
        # be built then; the first stays, and the other has started nothing.
        engine = self.engines.setdefault(task, build(definition, callables.imported(definition), self.home))
        if definition.durable and conf.current().run_durable:
            self.work()
        return engine

    def work(self) -> None:
        """Run durable jobs in this process from now on. What is wrong with a task is logged; the others run."""
        journal = self.home.journal
        if journal.works or self.closed or not (tasks := loading.durable_tasks()):
            return
        journal.works = True
        self._opening()
        for task in tasks:
            try:
                engine = self.engines.get(task) or self.open(task)
            except ImproperlyConfigured as error:
                logger.error("%s: its durable jobs can't be run here: %s", task, error)
                continue
            # Inline, or of a test's own making, they claim nothing.
            if "durable" in engine.supports:
                journal.clerk.employ(cast("Claimant", engine))
        journal.work()

    def live(self) -> int:
        """How many jobs wait or run."""
        return sum(engine.live() for engine in list(self.engines.values()))

    def closables(self) -> list[leaving.Closable]:
        """What has to be closed, in that order."""
        # Last what jobs that end go on with.
        return [*self.engines.values(), *([] if self.flows is None else [self.flows])]

    def running(self, most: int) -> list[JobInfo]:
        """Pictures of jobs that run in this process, by task, so many at most."""
        found: list[JobInfo] = []
        for engine in list(self.engines.values()):
            found += engine.running_here(most - len(found))
        return found

    def count_running(self) -> int:
        """How many jobs run in this process."""
        return sum(engine.running() for engine in list(self.engines.values()))

    def refuse(self) -> None:
        """Take no more jobs, and let the running ones know."""
        for one in self.closables():
            one.refuse()

    def settle_down(self, seconds: float) -> None:
        """Wait until no job lives, or so long at most."""
        deadline = time.monotonic() + seconds
        for one in self.closables():
            one.settle_down(deadline)

    def close(self, seconds: float) -> list[int]:
        """Close all pools within that time, and end the clock. Answers the ids of the jobs that were lost."""
        self.closed = True
        deadline = time.monotonic() + seconds
        lost = leaving.close(self.closables(), seconds)
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
        leaving.at_exit(self.process.leave)
        listening.listen()
        self.home.clock.start()


def _journal(settings: conf.Settings, process: Process, ids: Ids) -> "Journal":
    # Only now: they have models, which no module may import before the apps are loaded.
    from yao_tasks.journal.journal import Journal
    from yao_tasks.journal.pruning import Keep

    return Journal(
        settings.database,
        most_result=settings.max_result,
        keep=Keep(days=settings.record_days, most=settings.record_max),
        role=process.role,
        release=settings.release or "",
        folder=settings.state_dir,
        poll=settings.poll_interval,
        known=loading.known_tasks,
        next_id=ids.next,
    )


class Outpost(House):
    """The house of a process worker's child: its pools are its parent's, and it starts nothing."""

    def __init__(self, here: link.Link) -> None:
        self.closed = True
        self.flows = None
        self.engines = Engines(here)

    def open(self, task: str) -> Engine:
        """The task's pool, in the parent."""
        return self.engines[task]
