"""Workflows in the memory of one process: what follows when a member ends.

Whoever ends a job only puts that into a queue; a thread of the workflows' own adds what comes next. Where jobs run in
the caller's thread, as in tests, so does that.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from yao_tasks.core.calls import Call, alike
from yao_tasks.core.errors import JobNotFound, QueueFull
from yao_tasks.core.failures import cancelled, describe, lost
from yao_tasks.core.faults import printable
from yao_tasks.core.flows import BATCH, CHAIN
from yao_tasks.core.jobs import SUCCESS_NAME, Job, JobInfo
from yao_tasks.core.log import logger
from yao_tasks.core.retention import FAILURE_SECONDS
from yao_tasks.engines.base import DEFAULTS, Arguments, Engine, Home
from yao_tasks.workflows.errands import Errands
from yao_tasks.workflows.flow import Flow

# What comes next and finds a full queue is added as soon as there is a place: looked for so often (s).
AGAIN = 0.05
# While a process waits for its workflows to end (s).
LOOK = 0.01


class _Member:
    """Waits for the end of a member's job."""

    __slots__ = ("engine", "flow", "flows", "job", "step")

    def __init__(self, flows: "Flows", flow: Flow, step: int, engine: Engine, job: Job) -> None:
        self.flows = flows
        self.flow = flow
        self.step = step
        self.engine = engine
        self.job = job

    def set(self) -> None:
        """The job has ended. Called by whoever ended it."""
        self.flows.errands.put(partial(self.flows.ended, self), here=self.engine.is_inline)


class Flows:
    """The workflows of one process's memory. Any thread may call any method but those with an underscore."""

    def __init__(self, home: Home, engine: Callable[[str], Engine]) -> None:
        """`engine` answers that of a task."""
        self.home = home
        self.engine = engine
        self.open: dict[int, Flow] = {}
        self.over: dict[int, Flow] = {}
        self.errands = Errands()
        # Guards the two dicts. Reentrant: a finalizer may end a job.
        self._guard = threading.RLock()

    # Starting

    def chain(self, calls: Sequence[Call]) -> Flow:
        """Start a chain. Raises what `add` of its first step does."""
        flow = self._new(CHAIN, calls, None)
        self._begin(flow, lambda: self._add(flow, 0, calls[0], None))
        return flow

    def fan_out(self, kind: str, calls: Sequence[Call], callback: Call | None) -> Flow:
        """Start a group or a batch. Raises what `add_many` does; what was added by then is cancelled."""
        flow = self._new(kind, calls, callback)
        self._begin(flow, lambda: self._add_all(flow, calls))
        if not calls:
            self.errands.put(partial(self._members_ended, flow), here=True)
        return flow

    def _new(self, kind: str, calls: Sequence[Call], callback: Call | None) -> Flow:
        flow = Flow(self.home.ids.next(), kind, calls, callback, self.cancel)
        with self._guard:
            self.open[flow.id] = flow
        return flow

    def _begin(self, flow: Flow, add: Callable[[], None]) -> None:
        try:
            add()
        except BaseException:
            # Inline its jobs have run, and the exception is that of one of them.
            if not flow.is_over:
                with self._guard:
                    self.open.pop(flow.id, None)
                flow.end(cancelled("The workflow was not started."))
                self._cancel_all(flow)
            raise
        if flow.raised is not None:
            raise flow.raised

    def _add(self, flow: Flow, step: int, call: Call, previous: Any) -> None:
        engine = self.engine(call.task)
        options = replace(call.options or DEFAULTS, follow=partial(self._follow, flow, iter((step,)), engine))
        engine.add(*call.filled(previous), options)

    def _add_all(self, flow: Flow, calls: Sequence[Call]) -> None:
        for steps in alike(calls):
            self._add_many(flow, steps, calls)

    def _add_many(self, flow: Flow, steps: Sequence[int], calls: Sequence[Call]) -> None:
        first = calls[steps[0]]
        engine = self.engine(first.task)
        options = replace(first.options or DEFAULTS, follow=partial(self._follow, flow, iter(steps), engine))
        arguments: list[Arguments] = [(calls[step].args, dict(calls[step].kwargs)) for step in steps]
        engine.add_many(arguments, options, partial=False)

    def _follow(self, flow: Flow, steps: Iterator[int], engine: Engine, job: Job) -> _Member:
        """A member's job is about to be added. Called in the thread that adds it."""
        step = next(steps)
        flow.added(step, job)
        return _Member(self, flow, step, engine, job)

    # What follows

    def ended(self, member: _Member) -> None:
        """A member's job has ended."""
        flow, step = member.flow, member.step
        try:
            info: JobInfo | None = member.engine.draw(member.job)  # type: ignore[attr-defined]
        except JobNotFound:
            # Its transaction was rolled back.
            info = None
        if info is None:
            self._forget(flow)
        elif flow.is_callback(step):
            flow.callback_ended(step, info)
            self._finish(flow, info)
        elif flow.kind == CHAIN:
            self._step_ended(flow, step, info)
        elif flow.member_ended(step, info):
            self._members_ended(flow)

    def _step_ended(self, flow: Flow, step: int, info: JobInfo) -> None:
        flow.member_ended(step, info)
        if flow.is_over:
            return
        if info.status != SUCCESS_NAME or step + 1 == flow.total:
            self._finish(flow, info)
        else:
            self._go_on(flow, step + 1, flow.calls[step + 1], info.response)

    def _members_ended(self, flow: Flow) -> None:
        if flow.is_over:
            return
        error = flow.members_error()
        if flow.callback is None or (error is not None and flow.kind != BATCH):
            self._end(flow, error, flow.joined())
        else:
            self._go_on(flow, flow.total, flow.callback, flow.joined())

    def _go_on(self, flow: Flow, step: int, call: Call, previous: Any) -> None:
        """Add what comes next."""
        if flow.is_over:
            return
        try:
            self._add(flow, step, call, previous)
        except QueueFull:
            again = partial(self._go_on, flow, step, call, previous)
            self.home.clock.at(
                self.home.clock.monotonic() + AGAIN, partial(self.errands.put, again, here=False)
            )
        except BaseException as error:  # noqa: BLE001 - what a callback of the add raises must not end this thread
            if flow.has_added(step):
                # Inline: what its handler raised.
                flow.raised = error
                return
            text = f'Step {step + 1}, of "{call.task}", could not be added'
            logger.error(
                "The %s %s stops here. %s: %s",
                flow.kind,
                flow.id,
                text,
                printable(str(error)),
                exc_info=error,
            )
            described = describe(error)
            self._end(flow, replace(described, message=f"{text}: {described.message}"), None)
        else:
            if flow.is_over:
                # It was cancelled meanwhile.
                self._cancel_all(flow)

    def _finish(self, flow: Flow, info: JobInfo) -> None:
        """Its last job has ended."""
        error = info.error or flow.members_error()
        self._end(flow, error, info.response)

    def _end(self, flow: Flow, error: Any, response: Any) -> None:
        if flow.end(error, response):
            with self._guard:
                self.open.pop(flow.id, None)
                self.over[flow.id] = flow
            self._trim()

    def _forget(self, flow: Flow) -> None:
        with self._guard:
            self.open.pop(flow.id, None)
        flow.end(lost("The transaction that added it was rolled back."))

    # Looking and steering

    def find(self, flow_id: int) -> Flow | None:
        """A workflow that is open or remembered."""
        self._trim()
        return self.open.get(flow_id) or self.over.get(flow_id)

    def all(self) -> list[Flow]:
        """All that are open or remembered, the newest first."""
        self._trim()
        with self._guard:
            return sorted([*self.open.values(), *self.over.values()], key=lambda one: -one.id)

    def cancel(self, flow: Flow) -> bool:
        """End it, and its live jobs. False if it has ended."""
        before = flow.is_over
        self._end(flow, cancelled(f"The {flow.kind} was cancelled."), None)
        self._cancel_all(flow)
        return not before

    def _cancel_all(self, flow: Flow) -> None:
        for task, job_id in flow.live_jobs():
            self.engine(task).cancel(job_id)

    def _trim(self) -> None:
        """Forget what ended long ago, or is too many."""
        with self._guard:
            now = time.time()
            for flow in list(self.over.values()):
                seconds = self.home.retention if flow.error is None else FAILURE_SECONDS
                if len(self.over) > self.home.retention_max or now - (flow.ended_at or now) > seconds:
                    del self.over[flow.id]
                else:
                    break

    # At the end of the process, as `leaving.Closable` says

    def live(self) -> int:
        """How many workflows have not ended."""
        return len(self.open)

    def can_work(self) -> bool:
        """Whether anybody is left to bring one to its end."""
        tasks = {task for flow in list(self.open.values()) for task, _ in flow.live_jobs()}
        return self.errands.has_some() or any(self.engine(task).can_work() for task in tasks)

    def refuse(self) -> None:
        """Nothing: what follows is refused by its pool."""

    def settle_down(self, deadline: float) -> None:
        """Wait until none is open, nobody is left to work, or the deadline (monotonic seconds) has passed."""
        while self.open and self.can_work() and time.monotonic() < deadline:
            time.sleep(LOOK)

    def close(self, timeout: float) -> list[int]:
        """End what is open as lost. The pools are closed by now."""
        deadline = time.monotonic() + timeout
        self.errands.close(deadline)
        for flow in list(self.open.values()):
            self._end(flow, lost(f"The process ended before the {flow.kind} did."), None)
        return []
