"""A job as a reader may see it: six fields with a link, all but arguments and result with `view_jobs`."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from yao_tasks import conf
from yao_tasks.api.access import Reader
from yao_tasks.core.definitions import Definition
from yao_tasks.core.errors import GiveUp, name_of
from yao_tasks.core.jobs import FAILURE_NAME, SUCCESS_NAME, JobError, JobInfo
from yao_tasks.redaction import Redaction, plain, redaction_of

# What the original's `get` answers with, and the two that move by themselves.
MOVING = ("elapsed", "eta")
# What is shown of a traceback, from its end: deep ones are megabytes.
TRACEBACK_LENGTH = 16_000


def picture(info: JobInfo, definition: Definition, reader: Reader) -> dict[str, Any]:
    """The job in JSON's types, in the reader's language."""
    hidden = redaction_of(definition)
    hide = hidden.hider(info)
    shown = {
        "id": info.id,
        "status": info.status,
        "current": plain(info.current),
        "total": plain(info.total),
        "message": hide(info.message),
        "response": _for_staff(info, reader, hidden, hide) if reader.is_staff else _for_users(info, hide),
        "elapsed": info.elapsed,
        "eta": info.eta,
    }
    return {**shown, **_whole(info, reader, hidden, hide)} if reader.is_staff else shown


def written(shown: dict[str, Any]) -> tuple[str, str]:
    """A picture as JSON, and in short: two that differ only in time that has passed are the same."""
    moving = {name: shown.pop(name) for name in MOVING}
    lasting = json.dumps(shown)
    mark = hashlib.sha256(lasting.encode()).hexdigest()[:16]
    return f"{lasting[:-1]}, {json.dumps(moving)[1:]}", mark


def _whole(info: JobInfo, reader: Reader, hidden: Redaction, hide: Callable[[str], str]) -> dict[str, Any]:
    """What staff sees beside that."""
    shown = {
        "task": info.task,
        "status_code": info.status_code,
        "percent": info.percent,
        "error": info.error and _error(info.error, reader, hide),
        "attempt": info.attempt,
        "added_at": _moment(info.added_at),
        "started_at": _moment(info.started_at),
        "ended_at": _moment(info.ended_at),
        "due_at": _moment(info.due_at),
        "worker": info.worker,
    }
    if reader.sees_data:
        shown["args"], shown["kwargs"] = hidden.arguments_as_json(info)
    return shown


def _error(error: JobError, reader: Reader, hide: Callable[[str], str]) -> dict[str, str]:
    shown = {"kind": error.kind, "type": error.type, "message": hide(error.message)}
    if reader.sees_traceback:
        shown["traceback"] = hide(error.traceback)[-TRACEBACK_LENGTH:]
    return shown


def _for_staff(info: JobInfo, reader: Reader, hidden: Redaction, hide: Callable[[str], str]) -> Any:
    if info.error is not None:
        return hide(info.error.message)
    if info.status != SUCCESS_NAME or not reader.sees_data:
        return None
    return _bounded(plain(hidden.as_json(info.response), told=hide))


def _for_users(info: JobInfo, hide: Callable[[str], str]) -> Any:
    """The result as it is: it is theirs. Of a failure only what the handler meant them to read."""
    if info.status == SUCCESS_NAME:
        return _bounded(plain(info.response, told=hide))
    if info.status != FAILURE_NAME or info.error is None:
        return None
    if info.error.kind == "raised" and info.error.type == name_of(GiveUp):
        return hide(info.error.message)
    if info.error.kind == "cancelled":
        return gettext("This was cancelled.")
    return gettext("This could not be done.")


def _bounded(value: Any) -> Any:
    """The value, or None where it is longer than a recorded result may be."""
    return value if len(json.dumps(value)) <= conf.current().max_result else None


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
