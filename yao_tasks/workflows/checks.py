"""What workflows are started with, looked at before anything has started."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yao_tasks import boot
from yao_tasks.core import strict
from yao_tasks.core.calls import PREVIOUS, Call
from yao_tasks.core.faults import shown
from yao_tasks.pools import Adder, Pool

# What belongs to one add only.
_NOT_LATER = {"on_commit": True, "database": None}


def checked_call(where: str, what: str, value: object) -> Call:
    """A step. TypeError for what is none, ValueError for options that mean the caller's transaction."""
    if isinstance(value, Pool | Adder):
        raise TypeError(f'{where}: {what} is a pool. Say what to call it with: tasks["{value.id}"].call(…).')
    if not isinstance(value, Call):
        raise TypeError(f'{where}: {what} is {shown(value)}. Give tasks["…"].call(…), with its arguments.')
    for name, usual in _NOT_LATER.items():
        if value.options is not None and getattr(value.options, name) != usual:
            raise ValueError(
                f"{where}: {what} has {name}={getattr(value.options, name)!r}. A step is added later, in no "
                "transaction of the caller's: leave that out."
            )
    return value


def steps(calls: Sequence[object]) -> list[Call]:
    """The steps of a chain."""
    if not calls:
        raise ValueError('chain: give at least one step, as tasks["…"].call(…).')
    checked = [checked_call("chain", f"step {place}", value) for place, value in enumerate(calls, 1)]
    if checked[0].wants_previous:
        raise ValueError("chain: step 1 asks for PREVIOUS, and there is no step before it.")
    return checked


def group_members(calls: Sequence[object]) -> list[Call]:
    """The members of a group."""
    if not calls:
        raise ValueError('group: give at least one member, as tasks["…"].call(…).')
    checked = [checked_call("group", f"member {place}", value) for place, value in enumerate(calls, 1)]
    for place, member in enumerate(checked, 1):
        if member.wants_previous:
            raise ValueError(f"group: member {place} asks for PREVIOUS, which only a callback may.")
    return checked


def members(pool: object, calls: Iterable[Sequence[Any]]) -> list[Call]:
    """The members of a batch."""
    if not isinstance(pool, Pool | Adder):
        raise TypeError(f'Batch: {shown(pool)} is no pool. Give tasks["…"], or tasks["…"].using(…).')
    options = pool.options if isinstance(pool, Adder) else None
    checked_call("Batch", "the pool", Call(pool.id, (), {}, options))
    checked = []
    for place, arguments in enumerate(calls):
        if not isinstance(arguments, tuple | list):
            raise TypeError(
                f"Batch: element {place} is {shown(arguments)}. Give a tuple of arguments: ({shown(arguments)},)."
            )
        if any(value is PREVIOUS for value in arguments):
            raise ValueError(f"Batch: element {place} asks for PREVIOUS, which only a callback may.")
        checked.append(Call(pool.id, tuple(arguments), {}, options))
    return checked


def counted(calls: Sequence[Call]) -> Mapping[str, int]:
    """How many there are of each task."""
    return Counter(one.task for one in calls)


def refuse_without_room(where: str, calls: Sequence[Call], at_once: Mapping[str, int]) -> None:
    """Raise what the adds of these would, as far as that can be seen now.

    `at_once`: how many jobs of a task are added at once, by its id; of any other one.
    """
    engines = {one.task: boot.engine(one.task) for one in calls}
    for place, one in enumerate(calls, 1):
        engine = engines[one.task]
        if engine.sends_arguments or engine.definition.is_recorded:
            try:
                strict.encoded(*one.filled(None))
            except (TypeError, ValueError) as error:
                raise type(error)(f'{where}: step {place}, of "{one.task}": {error}') from None
    for task, engine in engines.items():
        engine.check_room(at_once.get(task, 1))


def is_durable(where: str, calls: Sequence[Call]) -> bool:
    """Whether these are jobs of durable tasks. ValueError where only some are, or one can't follow by itself."""
    engines = {one.task: boot.engine(one.task) for one in calls}
    durable = {task for task, engine in engines.items() if "durable" in engine.supports}
    if durable and len(durable) < len(engines):
        other = next(task for task in engines if task not in durable)
        raise ValueError(
            f'{where}: "{min(durable)}" is durable and "{other}" is not. A workflow survives a crash as a whole or not '
            "at all: make all of its tasks durable, or none."
        )
    return bool(durable)


def refuse_made_keys(where: str, later: Sequence[Call]) -> None:
    """ValueError for durable steps that can't be written with another job's end: ids or keys are made by the caller."""
    for one in later:
        definition = boot.engine(one.task).definition
        if definition.event.next is not None:
            why = "makes its own ids (event.next)"
        elif definition.unique or (one.options is not None and one.options.unique is not None):
            why = "is unique"
        else:
            continue
        raise ValueError(
            f'{where}: "{one.task}" {why}, and is added by the database\'s writer when its turn comes: that works for '
            "first steps and members only."
        )
