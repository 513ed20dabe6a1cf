"""Workers that each own a warm child: a process that runs their handlers, and can be killed.

    queue -> worker thread --[run …]--> child: the handler
                           <--[progress …], [log …], [call …]--
                           <--[ok …] or [failed …], or the end of the channel: it died

All else is as with threads: who draws a job, who is stuck, who is replaced. What can be told in the thread is told
there: events, log lines of the child, and what the child asks of pools.
"""

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from yao_tasks.core.children.budget import Budget
from yao_tasks.core.children.child import DYING_SECONDS, Child
from yao_tasks.core.children.frames import BrokenFrame, Channel, Frame, decoded
from yao_tasks.core.children.records import emit
from yao_tasks.core.children.spawner import Spawner
from yao_tasks.core.current import Marker
from yao_tasks.core.current import marker as current_marker
from yao_tasks.core.errors import JobNotFound, RemoteError, Verdict
from yao_tasks.core.failures import WorkerDied
from yao_tasks.core.jobs import RUNNING, Job
from yao_tasks.core.runs import Runner
from yao_tasks.core.workers.boots import Boots
from yao_tasks.core.workers.thread import ThreadWorkers

# A handler that returns nothing: the answer of most jobs.
_NOTHING = b'["ok",null]'


class Desk(Protocol):
    """Where one run's calls of pools are served."""

    def take(self, frame: Frame) -> None:
        """Do what the child asks, and answer it. Raises BrokenFrame."""

    def close(self) -> None:
        """The run is over: what it added in a transaction without an end never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """What a process has once for all its process workers, and what its settings say of them."""

    spawner: Spawner
    jobs: int
    """After so many a child is replaced."""
    memory: int | None
    """Bytes of resident memory, above which it is; None: whatever."""
    setup: Callable[[], dict[str, Any]]
    """What each child is told first, in JSON, beside what its task's definition says."""
    desk: Callable[[Channel], Desk]
    carried: Callable[[], dict[str, Any]]
    """What the calling context carries over, in JSON. TypeError, ValueError for what can't be."""


class ProcessWorkers(ThreadWorkers):
    """The workers of one pool: threads that lead a child each."""

    stoppable = True

    def __init__(self, runner: Runner, children: Children, setup: dict[str, Any]) -> None:
        """`setup`: what the children are told of the task."""
        own = copy.copy(runner)
        own.handler = self._lead
        super().__init__(own)
        self.lot = children
        self.boots = Boots(self, Budget(self.life.wanted), setup)
        # By the names of their workers.
        self.children: dict[str, Child] = {}
        # By job: the children that were killed in a run of it, until they are dead.
        self.dying: dict[int, Child] = {}
        self.here = threading.local()

    def stop(self, job: Job, attempt: int) -> None:
        """Kill the child that runs it; if the pool's end has cut it off, ask it first."""
        child = self.children.get(job.worker or "")
        if child is None:
            return
        with child.guard:
            # Otherwise the run has ended, and the child may be in another.
            if child.run != (job.id, attempt):
                return
            self.dying[job.id] = child
            if self.life.closing and job.error is not None and job.error.kind == "lost":
                child.terminate()
            else:
                child.kill()
        self.lot.spawner.see_off(child, hang_up=False)

    def tell_closing(self) -> None:
        """Let the running jobs know that the pool is being closed."""
        for child in list(self.children.values()):
            if child.run is not None:
                child.channel.send_if_it_fits(["stop"])

    def leave(self, deadline: float, monotonic: Callable[[], float]) -> bool:
        """As `ThreadWorkers.leave`; those that wait for a child wait no longer."""
        self.boots.give_up()
        return super().leave(deadline, monotonic)

    @property
    def trouble(self) -> str:
        """Why no child could be started lately, or that too many died, in words; mostly empty."""
        return self.boots.trouble

    def _work(self, name: str) -> None:
        self.here.name = name
        try:
            super()._work(name)
        finally:
            child = self.children.pop(name, None)
            if child is not None:
                self.lot.spawner.see_off(child)

    def _drawer(self, name: str) -> Callable[[], Any]:
        get, children, lot = self.tokens.queue.get, self.children, self.lot

        def draw() -> Any:
            while True:
                child = children.get(name)
                if child is not None and (
                    child.is_killed or child.jobs >= lot.jobs or self._is_too_large(child)
                ):
                    self._part_with(name, child)
                    child = None
                if child is None and not self.boots.have_one(name):
                    return None
                token = get()
                if token is None or not children[name].is_dead():
                    return token
                # It died while it was idle: that must cost no job an attempt, nor keep it from other workers.
                self.tokens.queue.put(token)
                self.boots.died(children[name])
                self._part_with(name, children[name])

        return draw

    def _is_too_large(self, child: Child) -> bool:
        return self.lot.memory is not None and child.memory() > self.lot.memory

    def _part_with(self, name: str, child: Child) -> None:
        self.children.pop(name, None)
        self.lot.spawner.see_off(child)

    # One run, in the worker's thread and the run's context

    def _lead(self, job_id: int, /, *args: Any, **kwargs: Any) -> Any:
        marker = current_marker()
        assert marker is not None
        job, attempt, _ = marker
        child = self.children[self.here.name]
        dying = self.dying.get(job_id)
        if dying is not None and not dying.is_dead(DYING_SECONDS):
            raise WorkerDied(f"The process {dying.pid} of the run before doesn't end, though it was killed.")
        with child.guard:
            child.run = (job_id, attempt)
        desk = None
        try:
            # Settled before it could be stopped.
            if job.status != RUNNING or job.attempt != attempt:
                return None
            child.jobs += 1
            child.channel.send(self._order(marker, args, kwargs))
            desk = self.lot.desk(child.channel)
            return self._follow(child, marker, desk)
        except OSError:
            raise self._died(child, job, attempt) from None
        except BrokenFrame as error:
            child.kill()
            raise WorkerDied(
                f"The worker's process was killed, since what it sent makes no sense: {error}"
            ) from error
        except RemoteError:
            raise
        except BaseException:
            # It may be in the middle of the run, and would take the next for a part of that.
            child.kill()
            raise
        finally:
            with child.guard:
                child.run = None
            if desk is not None:
                desk.close()
            if self.dying.get(job_id) is child:
                child.is_dead(DYING_SECONDS)
                self.dying.pop(job_id, None)

    def _order(self, marker: Marker, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame:
        job, attempt, announcer = marker
        terms = job.terms
        timeout = announcer.timeout if terms is None or terms.timeout is None else terms.timeout
        carried = self.lot.carried() if terms is not None and terms.carried else None
        times = (job.added, job.added_at, job.started, timeout)
        return ["run", job.id, attempt, args, kwargs, *times, self.life.closing, carried]

    def _follow(self, child: Child, marker: Marker, desk: Desk) -> Any:
        """Take what the child sends until it has ended the run: answers the result, or raises what came of it."""
        job, attempt, _ = marker
        receive = child.channel.receive_bytes
        while True:
            payload = receive()
            if payload == _NOTHING:
                return None
            frame = decoded(payload)
            match frame:
                case ["ok", result]:
                    return result
                case ["failed", str(cls), str(message), str(trace), [bool(again), after, bool(asked)]]:
                    raise RemoteError(cls, message, trace, Verdict(again=again, after=after, asked=asked))
                case ["progress", int() | float() as current, int() | float() as total, str(text)]:
                    self._report(marker, current, total, text)
                case ["log", dict(record)]:
                    emit(record, self.life.task, job.id, attempt)
                case ["call", *_] | ["commit", *_] | ["rollback", *_]:
                    desk.take(frame)
                case _:
                    raise BrokenFrame(f"a frame of the kind {str(frame[0])[:20]!r}")

    @staticmethod
    def _report(marker: Marker, current: float, total: float, text: str) -> None:
        job, attempt, announcer = marker
        try:
            announcer.report(job, attempt, current, total, text)
        except JobNotFound:  # settled meanwhile: it is about to be killed
            pass

    def _died(self, child: Child, job: Job, attempt: int) -> WorkerDied:
        killed, how = child.is_killed, child.epitaph()
        if not killed:
            self.boots.died(child)
            child.is_killed = True
        return WorkerDied(f"The worker's process {child.pid} {how} in run {attempt} of job {job.id}.")
