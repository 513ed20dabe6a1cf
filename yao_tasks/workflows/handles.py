"""What a project holds of a workflow, and what starts one."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yao_tasks import boot, conf, loading
from yao_tasks.core.calls import Call
from yao_tasks.core.errors import WorkflowNotFound
from yao_tasks.core.flows import BATCH, GROUP, WorkflowInfo, WorkflowLine
from yao_tasks.pools import Adder, Pool
from yao_tasks.workflows.checks import (
    checked_call,
    counted,
    group_members,
    is_durable,
    members,
    refuse_made_keys,
    refuse_without_room,
    steps,
)
from yao_tasks.workflows.flow import Flow
from yao_tasks.workflows.memory import Flows

if TYPE_CHECKING:
    # It has models.
    from yao_tasks.workflows.durable import DurableFlow


class Workflow:
    """A chain, a group or a batch. A handle: it asks in each call. Any thread may call any method."""

    def __init__(self, workflow_id: int, held: Flow | None = None) -> None:
        self.id = workflow_id
        """A whole number that no job has."""
        # Who started it finds it as long as he keeps this, however long ago it ended.
        self._held = held

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workflow) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def info(self) -> WorkflowInfo:
        """A picture of it as it is now. Raises WorkflowNotFound once it is forgotten."""
        return self._known(self._found().info())

    @property
    def status(self) -> str:
        """`"WAITING"`, `"RUNNING"`, `"SUCCESS"` or `"FAILURE"`."""
        return self.info().status

    @property
    def state(self) -> str:
        """The same as `status`."""
        return self.info().status

    @property
    def progress(self) -> float:
        """How far it is, from 0 to 100; `percent` is the same."""
        return self.info().percent

    @property
    def percent(self) -> int:
        """How far it is, from 0 to 100, rounded down."""
        return self.info().percent

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of its jobs are in each of the four states, without the callback."""
        return self.info().counts

    def wait(self, timeout: float | None = None) -> WorkflowInfo:
        """Wait for its end in the calling thread, `timeout` seconds at most (None: without limit).

        Raises TimeoutError, WorkflowNotFound.
        """
        return self._known(self._found().wait(timeout))

    async def await_end(self, timeout: float | None = None) -> WorkflowInfo:
        """The same from a coroutine; a thread waits."""
        from asgiref.sync import sync_to_async

        return await sync_to_async(self.wait, thread_sensitive=False)(timeout)

    def cancel(self) -> bool:
        """End it, and those of its jobs that have not ended. False if it had ended."""
        return self._found().cancel()

    def _found(self) -> "Flow | DurableFlow":
        flow = self._held or _flows().find(self.id) or _durable(self.id)
        if flow is None:
            raise self._unknown()
        return flow

    def _known(self, info: WorkflowInfo | None) -> WorkflowInfo:
        if info is None:
            raise self._unknown()
        return info

    def _unknown(self) -> WorkflowNotFound:
        return WorkflowNotFound(
            f"No workflow {self.id} is known here, if it ever was: an ended one is remembered as long as jobs are."
        )


class Batch(Workflow):
    """Many jobs of one task that are looked at as one."""

    def __init__(
        self, pool: Pool | Adder, calls: Iterable[Sequence[Any]], *, callback: Call | None = None
    ) -> None:
        """Add a job for each element, a tuple or list of positional arguments, as `add_many` does: all or none.

        `callback` is added once all have ended, however; where it says `PREVIOUS` it gets the counts by state. The
        batch is a SUCCESS if all of its jobs were, and the callback. Raises what `add_many` does.
        """
        jobs = members(pool, calls)
        after = [] if callback is None else [checked_call("Batch", "callback", callback)]
        refuse_without_room("Batch", [*jobs[:1], *after], {jobs[0].task: len(jobs)} if jobs else {})
        super().__init__(*_fan_out(BATCH, jobs, callback, durable=is_durable("Batch", [*jobs[:1], *after])))


def chain(*calls: Call) -> Workflow:
    """Start steps that follow one another: each is added once the one before has succeeded.

    The first that fails ends the chain as a FAILURE. A step gets the result of the one before where it says
    `PREVIOUS`. Inside a transaction it starts with the commit. Raises, before anything has started, TypeError and
    ValueError for what is no step, TaskNotFound, and what `add` raises of any of the steps, as QueueFull.
    """
    checked = steps(calls)
    refuse_without_room("chain", checked, {})
    if not is_durable("chain", checked):
        flow = _flows().chain(checked)
        return Workflow(flow.id, flow)
    refuse_made_keys("chain", checked[1:])
    from yao_tasks.workflows.durable import start_chain

    return Workflow(start_chain(conf.current().database, checked))


def group(*calls: Call, callback: Call | None = None) -> Workflow:
    """Start jobs, of any tasks, that belong together: it is a SUCCESS if all are, with the list of their results.

    `callback` is added once all have succeeded; where it says `PREVIOUS` it gets that list, in the order of the
    calls. Raises, before anything has started, as `chain` does.
    """
    jobs = group_members(calls)
    after = [] if callback is None else [checked_call("group", "callback", callback)]
    refuse_without_room("group", [*jobs, *after], counted(jobs))
    return Workflow(*_fan_out(GROUP, jobs, callback, durable=is_durable("group", [*jobs, *after])))


def _fan_out(
    kind: str, jobs: Sequence[Call], callback: Call | None, *, durable: bool
) -> tuple[int, Flow | None]:
    if not durable:
        flow = _flows().fan_out(kind, jobs, callback)
        return flow.id, flow
    refuse_made_keys(kind, [] if callback is None else [callback])
    from yao_tasks.workflows.durable import fan_out

    return fan_out(conf.current().database, kind, jobs, callback), None


def find(workflow_id: int) -> Workflow:
    """The workflow with this id. Raises WorkflowNotFound where it isn't known (any more)."""
    workflow = Workflow(workflow_id)
    workflow.info()
    return workflow


def latest(most: int = 100) -> list[WorkflowLine]:
    """The workflows that were started last, in this process's memory and in the database, the newest first."""
    house = boot.house()
    lines = [flow.line() for flow in house.flows.all()[:most]] if isinstance(house.flows, Flows) else []
    if loading.durable_tasks():
        from yao_tasks.workflows import durable

        lines += durable.latest(conf.current().database, most)
    return sorted(lines, key=lambda line: line.added_at, reverse=True)[:most]


def _durable(workflow_id: int) -> "DurableFlow | None":
    """One that may have a row."""
    if type(workflow_id) is not int or not loading.durable_tasks():
        return None
    from yao_tasks.workflows.durable import DurableFlow

    return DurableFlow(conf.current().database, workflow_id)


# Guards the first use.
_making = threading.RLock()


def _flows() -> Flows:
    house = boot.house()
    with _making:
        if house.flows is None:
            if not hasattr(house, "home"):
                raise RuntimeError(
                    "Workflows aren't available inside a process worker. Start them where the pool lives, or give the "
                    "task threads."
                )
            house.flows = Flows(house.home, boot.engine)
    assert isinstance(house.flows, Flows)
    return house.flows
