"""`drained_tasks`: real pools that have come to rest before the test is over."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from yao_tasks import boot
from yao_tasks.core.definitions import Definition
from yao_tasks.engines.base import Callables, Engine, Home
from yao_tasks.engines.drained import DrainedEngine, quiet
from yao_tasks.house import House

# Nobody tells when a pool is quiet (s).
LOOK = 0.005


@contextmanager
def drain_after(timeout: float) -> Iterator[None]:
    """Have real pools meanwhile, and wait for all that they do. TimeoutError, RuntimeError."""
    _refuse_in_a_transaction()
    with boot.engines_by(_build):
        boot.house().work()
        try:
            yield
        except BaseException:
            # What the test raised tells more than what may be left.
            _drain(timeout)
            raise
        left = _drain(timeout)
        if left:
            raise TimeoutError(f"drained_tasks: after {timeout:g} s there were still {'; '.join(left)}.")


def _build(definition: Definition, callables: Callables, home: Home) -> Engine:
    if not definition.is_recorded:
        return DrainedEngine(definition, callables, home)
    # Only now: they have models, and a test's module may be imported before apps are loaded.
    if definition.durable:
        from yao_tasks.engines.drained_durable import DrainedDurableEngine

        return DrainedDurableEngine(definition, callables, home)
    from yao_tasks.engines.drained_recorded import DrainedRecordedEngine

    return DrainedRecordedEngine(definition, callables, home)


def _drain(timeout: float) -> list[str]:
    """Wait for jobs, events and threads. Answers what was left."""
    house, deadline = boot.house(), time.monotonic() + timeout
    while not _is_quiet(house) and time.monotonic() < deadline:
        for engine in _engines(house):
            engine.give_up_waiting(deadline)
        time.sleep(LOOK)
    left = [_named(engine) for engine in _engines(house) if engine.live() or engine.has_events()]
    house.close(max(0.0, deadline - time.monotonic()))
    for engine in _engines(house):
        # Of a run that was cut off: it may use the database as long as it goes on.
        for name, thread in list(engine.workers.threads.items()):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                left.append(f'the thread "{name}", in a run that was cut off or in an event')
    left += [f'the thread "{name}", in what a run left to it' for name in house.loops.left(deadline)]
    return left


def _is_quiet(house: House) -> bool:
    """Whether nothing can begin by itself any more."""
    # First: what a workflow goes on with meanwhile is a job by then.
    goes_on = house.flows is not None and house.flows.live() > 0
    return not goes_on and quiet(_engines(house))


def _engines(house: House) -> list[DrainedEngine]:
    return [engine for engine in list(house.engines.values()) if isinstance(engine, DrainedEngine)]


def _named(engine: DrainedEngine) -> str:
    ids = ", ".join(map(str, engine.jobs())) or "none, but an event"
    return f'of "{engine.definition.id}": {ids}'


def _refuse_in_a_transaction() -> None:
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            raise RuntimeError(
                f'drained_tasks: the database "{connection.alias}" is inside a transaction, whose commit jobs would '
                "wait for. Use a TransactionTestCase (with pytest-django: transactional_db), or inline_tasks."
            )
