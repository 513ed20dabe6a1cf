"""Lines that are logged inside jobs go into the diary, too.

By the factory of log records: a handler would have to sit on the root logger, where it would silence
`logging.basicConfig` and Python's last resort, and hear nothing of loggers that don't propagate.
"""

import logging
import traceback
from collections.abc import Callable
from typing import Any

from yao_tasks.core.current import running_job
from yao_tasks.core.diary import LINE_LENGTH, Line, diary
from yao_tasks.core.log import logger as own

# Of an exception that is logged with its line, in characters.
TRACEBACK_LENGTH = 8_000

Factory = Callable[..., logging.LogRecord]


class _Factory:
    """Makes records as another factory does, and listens to those of jobs."""

    def __init__(self, make: Factory) -> None:
        self.make = make

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.make(name, *args, **kwargs)
        # What we log ourselves is written down where it is logged, in whatever thread.
        if name != own.name and (job := running_job()) is not None:
            write_down(record, *job)
        return record


_factory: _Factory | None = None


def listen() -> None:
    """Listen from now on, once for each process. What other libraries have put in that place goes on."""
    global _factory
    if _factory is None:
        _factory = _Factory(logging.getLogRecordFactory())
        logging.setLogRecordFactory(_factory)


def write_down(record: logging.LogRecord, task: str, job_id: int) -> None:
    """Have the diary remember a line of a job. Never raises."""
    try:
        diary.write(task, job_id, _line(record))
    except BaseException:  # noqa: BLE001, S110 - foreign arguments: a line that can't be read costs no job
        pass


def _line(record: logging.LogRecord) -> Line:
    text = record.getMessage()[:LINE_LENGTH]
    trace = record.exc_text or ""
    if record.exc_info and record.exc_info[1] is not None:
        trace = "".join(traceback.format_exception(record.exc_info[1]))
    if trace:
        text = f"{text}\n{trace[-TRACEBACK_LENGTH:]}"
    return Line(at=record.created, level=record.levelname, logger=record.name, text=text)
