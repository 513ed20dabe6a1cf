"""The engine of `drained_tasks` for a task that is recorded."""

from yao_tasks.engines.drained import DrainedEngine
from yao_tasks.engines.recorded import RecordedEngine


class DrainedRecordedEngine(DrainedEngine, RecordedEngine):
    """Comes to rest before the test is over, and its rows are written by then."""
