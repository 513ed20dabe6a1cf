"""Which engine a task gets, by the name that its definition, or the settings, give."""

from collections.abc import Callable

from yao_tasks.core.definitions import Definition
from yao_tasks.engines.base import Callables, Engine, Home
from yao_tasks.engines.embedded import EmbeddedEngine
from yao_tasks.engines.inline import InlineEngine

Build = Callable[[Definition, Callables, Home], Engine]


def embedded(definition: Definition, callables: Callables, home: Home) -> Engine:
    """The engine of a task whose jobs live in this process."""
    if not definition.is_recorded:
        return EmbeddedEngine(definition, callables, home)
    # Only now: they have models, which no module may import before the apps are loaded.
    if definition.durable:
        from yao_tasks.engines.durable.engine import DurableEngine

        return DurableEngine(definition, callables, home)
    from yao_tasks.engines.recorded import RecordedEngine

    return RecordedEngine(definition, callables, home)


ENGINES: dict[str, Build] = {"embedded": embedded, "inline": InlineEngine}
