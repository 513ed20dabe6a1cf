"""Log records on their way from a child to its parent's logging: as text, under the loggers' own names."""

import logging
from typing import Any

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
    """Write a record of a child here. Whatever it holds and handlers do, nothing is raised."""
    try:
        logger = logging.getLogger(str(data["name"]))
        level = int(data["level"])
        if not logger.isEnabledFor(level):
            return
        record = logger.makeRecord(
            logger.name,
            level,
            str(data["path"]),
            int(data["line"]),
            str(data["text"]),
            (),
            None,
            str(data["function"]),
            {"task": task, "job": job, "attempt": attempt},
        )
        record.exc_text = data["trace"] and str(data["trace"])
        record.created = float(data["created"])
        record.threadName, record.process = str(data["thread"]), int(data["process"])
        logger.handle(record)
    except BaseException:  # noqa: BLE001, S110 - log handlers are foreign code: they must cost no job and no worker
        pass
