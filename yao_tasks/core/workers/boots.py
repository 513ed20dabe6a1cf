"""How a worker gets its child: started, set up, tried again later where it dies before it is ready."""

import logging
import select
import threading
import time
from typing import TYPE_CHECKING, Any

from yao_tasks.core import log
from yao_tasks.core.children.budget import Budget
from yao_tasks.core.children.child import Child
from yao_tasks.core.children.frames import BrokenFrame
from yao_tasks.core.children.records import emit
from yao_tasks.core.faults import printable
from yao_tasks.core.jobs import READY, Job

if TYPE_CHECKING:
    from yao_tasks.core.workers.process import ProcessWorkers

# Django and the project's own apps are loaded in one or two (s).
BOOT_SECONDS = 60.0


class Unfit(Exception):
    """A child that could not be made ready; the text says why."""


class Boots:
    """The starts of one pool's children. `have_one` is for the workers; any thread may call the others."""

    def __init__(self, workers: "ProcessWorkers", budget: Budget, setup: dict[str, Any]) -> None:
        self.workers = workers
        self.budget = budget
        self.setup = setup
        self._trouble = ""
        self._given_up = threading.Event()
        self._booting: set[Child] = set()

    def have_one(self, name: str) -> bool:
        """Give the worker a child, however long that takes. False where it should look up from its work instead."""
        failed = False
        while not self._given_up.is_set():
            if failed and not self._has_work():
                return False
            now = time.monotonic()
            if self._given_up.wait(max(0.0, self.budget.free_at(now) - now)):
                break
            try:
                self.workers.children[name] = self._boot()
            except Unfit as error:
                failed = True
                self._fail(str(error))
            else:
                self._trouble = ""
                return True
        return False

    def died(self, child: Child) -> None:
        """A child died by itself."""
        self.budget.died(time.monotonic(), child.epitaph())

    @property
    def trouble(self) -> str:
        """Why no child could be started lately, or that too many died, in words; mostly empty."""
        return self._trouble or self.budget.trouble(time.monotonic())

    def give_up(self) -> None:
        """Start no more of them. For the end of the pool."""
        self._given_up.set()
        for child in list(self._booting):
            child.kill()

    def _has_work(self) -> bool:
        """Wait for a job, if there is none: who can't start a child needn't try again before. False: look up."""
        queue = self.workers.tokens.queue
        token = queue.get()
        while isinstance(token, Job) and token.status != READY:  # cancelled meanwhile
            token = queue.get()
        if token is not None:
            queue.put(token)
        return token is not None

    def _boot(self) -> Child:
        spawner = self.workers.lot.spawner
        try:
            child = spawner.spawn()
        except Exception as error:
            raise Unfit(f"{type(error).__name__}: {error}") from error
        self._booting.add(child)
        try:
            child.channel.send(["setup", {**self.workers.lot.setup(), **self.setup}])
            self._await_ready(child, time.monotonic() + BOOT_SECONDS)
        except BaseException as error:
            how = child.epitaph()
            spawner.see_off(child)
            if isinstance(error, OSError):
                raise Unfit(f"it {how} before it was ready") from error
            if isinstance(error, Unfit):
                raise
            raise Unfit(f"{type(error).__name__}: {error}") from error
        finally:
            self._booting.discard(child)
        return child

    def _await_ready(self, child: Child, until: float) -> None:
        poll = select.poll()
        poll.register(child.channel.sock, select.POLLIN)
        while True:
            left = until - time.monotonic()
            if self._given_up.is_set() or (
                not child.channel.has_begun and not poll.poll(max(0.0, left) * 1000)
            ):
                child.kill()
                raise Unfit(f"it was not ready within {BOOT_SECONDS:g} s")
            try:
                frame = child.channel.receive()
            except BrokenFrame as error:
                child.kill()
                raise Unfit(f"what it sent makes no sense: {error}") from error
            match frame:
                case ["ready"]:
                    return
                case ["unfit", str(reason)]:
                    raise Unfit(reason)
                case ["log", dict(record)]:
                    emit(record, self.workers.life.task, None, None)

    def _fail(self, reason: str) -> None:
        if self._given_up.is_set():
            return
        self.budget.died(time.monotonic(), printable(reason))
        first, self._trouble = not self._trouble, printable(f"No process could be started: {reason}.")
        if first:
            log.logger.log(
                logging.ERROR,
                "%s: no process could be started for its jobs, which wait: %s. It is tried again, at longer intervals.",
                self.workers.life.task,
                printable(reason),
                extra={"task": self.workers.life.task, "job": None, "attempt": None},
            )
