"""Log records on their way from a child to its parent's logging: as text, under the loggers' own names."""

import logging
from contextvars import copy_context
from typing import Any

from yao_tasks.core import current, listening
from yao_tasks.core.log import logger as own

# A record's text and traceback, in characters. A frame takes no more.
TEXT_LIMIT = 8 * 1024

_formatter = logging.Formatter()


def packed(record: logging.LogRecord) -> dict[str, Any]:
    """What is sent of a record."""
    trace = record.exc_text
    if not trace and record.exc_info:
        trace = _formatter.formatException(record.exc_info)
    return {
        "name": record.name,
        "level": record.levelno,
        "text": record.getMessage()[:TEXT_LIMIT],
        "trace": trace and trace[-TEXT_LIMIT:],
        "path": record.pathname,
        "line": record.lineno,
        "function": record.funcName,
        "created": record.created,
        "thread": record.threadName,
        "process": record.process,
    }


def emit(data: dict[str, Any], task: str, job: int | None, attempt: int | None) -> None:
    """Write a record of a child here, and into its job's diary. Nothing is raised, whatever it holds."""
    try:
        logger = logging.getLogger(str(data["name"]))
        if not logger.isEnabledFor(int(data["level"])):
            return
        extra = {"task": task, "job": job, "attempt": attempt}
        # As of no job: it would be written down as it is made, without the moment and the traceback that it comes with.
        record = copy_context().run(_made, logger, data, extra)
        if job is not None and logger is not own:
            listening.write_down(record, task, job)
        logger.handle(record)
    except BaseException:  # noqa: BLE001, S110 - log handlers are foreign code: they must cost no job and no worker
        pass


def _made(logger: logging.Logger, data: dict[str, Any], extra: dict[str, Any]) -> logging.LogRecord:
    current.leave()
    level, path, line = int(data["level"]), str(data["path"]), int(data["line"])
    text, function = str(data["text"]), str(data["function"])
    record = logger.makeRecord(logger.name, level, path, line, text, (), None, function, extra)
    record.exc_text = data["trace"] and str(data["trace"])
    record.created = float(data["created"])
    record.threadName, record.process = str(data["thread"]), int(data["process"])
    return record
