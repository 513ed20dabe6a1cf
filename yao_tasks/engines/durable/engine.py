"""The engine of a durable task."""

from yao_tasks.engines.durable.steering import DurableSteering
from yao_tasks.engines.embedded import EmbeddedEngine


class DurableEngine(DurableSteering):
    """The jobs of one durable task. Whether this process runs them, its house decides."""

    supports = EmbeddedEngine.supports | {"record", "durable"}
