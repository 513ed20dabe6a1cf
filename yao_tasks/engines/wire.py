"""What calls of pools look like between a process and its children: options, pictures and exceptions as JSON."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from yao_tasks.core import errors
from yao_tasks.core.errors import DuplicateJob, RemoteError
from yao_tasks.core.failures import describe
from yao_tasks.core.jobs import JobError, JobInfo
from yao_tasks.engines.base import DEFAULTS, Options

_MOMENTS = ("added_at", "started_at", "ended_at", "due_at")
# Raised anew in the child as what they are: a closed list, never a class that is looked up by its name.
_BUILTIN = (TimeoutError, RuntimeError, TypeError, ValueError, LookupError)
_KNOWN: dict[str, type[Exception]] = {
    **{one.__name__: one for one in errors.PUBLIC if one is not RemoteError},
    **{one.__name__: one for one in _BUILTIN},
}


def options_out(options: Options) -> dict[str, Any]:
    """What differs from the defaults."""
    given = {one.name: getattr(options, one.name) for one in fields(Options)}
    changed = {name: value for name, value in given.items() if value != getattr(DEFAULTS, name)}
    moment = changed.get("run_after")
    if isinstance(moment, datetime):
        changed["run_after"] = moment.isoformat()
    return changed


def options_in(data: Mapping[str, Any]) -> Options:
    """The options again. TypeError, ValueError for what is none."""
    if not data:
        return DEFAULTS
    given = dict(data)
    if isinstance(given.get("run_after"), str):
        given["run_after"] = datetime.fromisoformat(given["run_after"])
    return Options(**given)


def picture_out(info: JobInfo) -> dict[str, Any]:
    """A picture in JSON types. Of a thread's job, what JSON can't hold is shown as its repr."""
    data = {one.name: getattr(info, one.name) for one in fields(JobInfo) if one.name[0] != "_"}
    error = info.error
    data["error"] = error and [getattr(error, one.name) for one in fields(JobError)]
    for name in _MOMENTS:
        data[name] = data[name] and data[name].isoformat()
    plain: dict[str, Any] = json.loads(json.dumps(data, cls=_Shown))
    return plain


def picture_in(data: Mapping[str, Any]) -> JobInfo:
    """The picture again."""
    moments = {name: data[name] and datetime.fromisoformat(data[name]) for name in _MOMENTS}
    names = [one.name for one in fields(JobError)]
    error = data["error"] and JobError(**dict(zip(names, data["error"], strict=True)))
    return JobInfo(**{**data, **moments, "error": error, "args": tuple(data["args"])})


def exception_out(exception: BaseException) -> dict[str, Any]:
    """An exception as text, and what else there is to be known of it."""
    told = describe(exception)
    known = type(exception).__name__ if _KNOWN.get(type(exception).__name__) is type(exception) else None
    return {
        "known": known,
        "type": told.type,
        "message": told.message,
        "traceback": told.traceback[-16 * 1024 :],
        "job_id": getattr(exception, "job_id", 0) if isinstance(exception, DuplicateJob) else 0,
    }


def exception_in(data: Mapping[str, Any]) -> Exception:
    """The exception: one of ours and the built-in ones that pools raise, anything else as a RemoteError."""
    known = _KNOWN.get(data["known"] or "")
    if known is None:
        return RemoteError(data["type"], data["message"], data["traceback"])
    if known is DuplicateJob:
        return DuplicateJob(data["message"], job_id=data["job_id"])
    return known(data["message"])


class _Shown(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:
            return repr(o)
