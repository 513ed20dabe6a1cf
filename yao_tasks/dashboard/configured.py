"""What a definition says, key by key, and where each value comes from; and what is wrong with its file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext

from yao_tasks import callables, conf, loading
from yao_tasks.core import definitions, files, jsonc
from yao_tasks.core.definitions import Definition
from yao_tasks.core.faults import Fault
from yao_tasks.core.keys import ENV
from yao_tasks.dashboard.durations import limit

# Seconds in a definition, whatever their unit in the file.
DURATIONS = ("attempt_after", "attempt_max_after", "timeout", "overflow_wait", "retention")
# A definition is a page of text; what is longer isn't one.
LONGEST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One key. `source` says in the reader's words where its value comes from."""

    key: str
    value: str
    source: str
    is_default: bool = False


def values_of(definition: Definition, metrics: Mapping[str, Any]) -> list[Value]:
    """All keys, those of the file first."""
    raw = _raw(definition.path)
    found = [_value(definition, key, raw) for key in definition]
    wanted = metrics["worker_nums"]
    if wanted != definition.worker_nums:
        source = gettext("changed at run time; the file says %(count)d") % {"count": definition.worker_nums}
        place = next(place for place, one in enumerate(found) if one.key == "worker_nums")
        found[place] = Value(key="worker_nums", value=str(wanted), source=source)
    return sorted(found, key=lambda one: one.is_default)


def file_text(path: Path | None) -> str:
    """The definition's file as it is now; empty where it can't be read."""
    if path is None:
        return ""
    text = files.read_text(path, task="")
    return "" if isinstance(text, Fault) else text[:LONGEST]


def messages_of(task: str) -> list[Fault]:
    """What the checks say of the task's file as it was read, and of what it names."""
    loaded = loading.loaded()
    definition = loaded.definitions.get(task)
    found = [fault for fault in loaded.faults if fault.task == task]
    return found if definition is None else [*found, *callables.faults(definition)]


_known: dict[Path, tuple[tuple[int, int], Definition | None]] = {}


def has_changed(definition: Definition) -> bool:
    """Whether the file says something else than this process has read, or is gone."""
    path = definition.path
    try:
        stat = path.stat()
    except OSError:
        return True
    stamp = (stat.st_mtime_ns, stat.st_size)
    known = _known.get(path)
    if known is None or known[0] != stamp:
        text = files.read_text(path, task=definition.id)
        now = None
        if not isinstance(text, Fault):
            now, _ = definitions.read(text, path, definition.id, loading.from_environment)
        known = _known[path] = (stamp, now)
    return known[1] != definition


def _raw(path: Path) -> Mapping[str, Any]:
    try:
        raw = jsonc.loads(file_text(path), relaxed=True)
    except jsonc.JSONSyntaxError:
        return {}
    return raw if isinstance(raw, dict) else {}


def _value(definition: Definition, key: str, raw: Mapping[str, Any]) -> Value:
    value = definition[key]
    if key not in raw:
        if key == "retention" and value is None:
            return Value(key=key, value=limit(conf.current().retention), source=gettext("the settings"))
        return Value(key=key, value=_text(key, value), source=gettext("default"), is_default=True)
    variables = ", ".join(_variables(raw[key]))
    if not variables:
        return Value(key=key, value=_text(key, value), source=gettext("the file"))
    # What the environment holds may be a secret that was named by mistake: numbers are shown, texts are not.
    text = _text(key, value) if isinstance(value, int | float) else "…"
    return Value(key=key, value=text, source=gettext("the environment: %(name)s") % {"name": variables})


def _variables(given: Any) -> Iterator[str]:
    if isinstance(given, str) and given.startswith(ENV):
        yield given.removeprefix(ENV)
    elif isinstance(given, Mapping | list):
        for inner in given.values() if isinstance(given, Mapping) else given:
            yield from _variables(inner)


def _text(key: str, value: object) -> str:
    if value is None:
        return "—"
    if key in DURATIONS and isinstance(value, int | float):
        return limit(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
