"""Arguments, results and texts as they may be shown: what a name calls secret is masked, wherever it turns up."""

import inspect
import math
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from yao_tasks import conf, handlers
from yao_tasks.core.definitions import Definition
from yao_tasks.core.jobs import JobInfo

MASK = "••••••"
# A page is no place for megabytes.
LONGEST = 8_000
DEEPEST = 8
# As deep as JSON readers of all kinds follow, and far from Python's own limit.
DEEPEST_JSON = 64
# A list may hold itself, twice.
MOST_VALUES = 100_000
# Beyond 128 bits nobody counts, and beyond 4,300 digits Python refuses to write.
LARGEST = 2**128
# What is shorter turns up in any text by chance.
SHORTEST_SECRET = 4


class Redaction:
    """What may be shown of one task's jobs. It asks for settings and handler once (see `redaction_of`)."""

    def __init__(self, definition: Definition | None) -> None:
        """`definition`: None for a task that there is no more, of whose jobs only the rows are left."""
        words = "|".join(re.escape(word) for word in conf.current().redact)
        self._secret = re.compile(words, re.IGNORECASE) if words else None
        # As in the text that an object makes of itself: User(password='…').
        self._said = re.compile(
            rf"([\w-]*(?:{words})[\w-]*['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,)}}\]]+)", re.I
        )
        self._process = definition.process if definition is not None else ""
        self._names: list[str] | None = None

    def arguments(self, info: JobInfo) -> list[tuple[str, str]]:
        """Name and value of each argument; a positional one is called as the handler's parameter."""
        return [(name, self._shown(name, value)) for name, value in self._named(info)]

    def result(self, value: Any) -> str:
        """What a handler returned."""
        return self._shown("", value)

    def arguments_as_json(self, info: JobInfo) -> tuple[list[Any], dict[str, Any]]:
        """Positional and named arguments in JSON's types."""
        values = [self.as_json(value, name) for name, value in self._named(info)]
        return values[: len(info.args)], dict(
            zip(map(str, info.kwargs), values[len(info.args) :], strict=True)
        )

    def as_json(self, value: Any, name: str = "") -> Any:
        """A value in JSON's types: what JSON hasn't got is shown as `result` shows it."""
        if self._is_secret(name):
            return MASK

        def told(text: str) -> str:
            return self._said.sub(rf"\1{MASK}", text) if self._secret is not None else text

        return plain(value, told=told, is_secret=self._is_secret, foreign=lambda one: self._shown("", one))

    def hider(self, info: JobInfo) -> Callable[[str], str]:
        """A function that masks the job's secret arguments in a text: a message, a traceback, a line."""
        secrets = sorted(set(self._secrets(info)), key=len, reverse=True)
        if not secrets:
            return str
        pattern = re.compile("|".join(map(re.escape, secrets)))
        return lambda text: pattern.sub(MASK, text)

    def _named(self, info: JobInfo) -> Iterator[tuple[str, Any]]:
        if self._names is None:
            self._names = parameters(self._process)
        for place, value in enumerate(info.args):
            yield self._names[place] if place < len(self._names) else _rest(self._names, place), value
        yield from info.kwargs.items()

    def _is_secret(self, name: object) -> bool:
        return self._secret is not None and isinstance(name, str) and bool(self._secret.search(name))

    def _shown(self, name: str, value: Any) -> str:
        if self._is_secret(name):
            return MASK
        try:
            text = _shortened.repr(self._masked(value, 0))
        except Exception as error:  # noqa: BLE001 - foreign values, and integers with too many digits
            return f"({type(value).__name__}: {type(error).__name__})"
        if self._secret is not None:
            text = self._said.sub(rf"\1{MASK}", text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

    def _masked(self, value: Any, depth: int) -> Any:
        if depth > DEEPEST:
            return _Text("…")
        if isinstance(value, Mapping):
            return {
                key: _Text(MASK) if self._is_secret(key) else self._masked(inner, depth + 1)
                for key, inner in list(value.items())[: _shortened.maxdict + 1]
            }
        if isinstance(value, list | tuple):
            inner = [self._masked(one, depth + 1) for one in value[: _shortened.maxlist + 1]]
            return inner if isinstance(value, list) else tuple(inner)
        return value

    def _secrets(self, info: JobInfo) -> Iterator[str]:
        if self._secret is None or not (info.args or info.kwargs):
            return
        for name, value in self._named(info):
            yield from self._inside(value, 0, secret=self._is_secret(name))

    def _inside(self, value: Any, depth: int, *, secret: bool) -> Iterator[str]:
        """The texts in a value that a name calls secret, and as Python writes them."""
        if depth > DEEPEST:
            return
        if isinstance(value, Mapping):
            for key, inner in list(value.items()):
                yield from self._inside(inner, depth + 1, secret=secret or self._is_secret(key))
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from self._inside(inner, depth + 1, secret=secret)
        elif secret and isinstance(value, str) and len(value) >= SHORTEST_SECRET:
            yield value
            yield repr(value)[1:-1]


_known: dict[str, tuple[Definition, conf.Settings, Redaction]] = {}


def redaction_of(definition: Definition) -> Redaction:
    """The task's redaction: made once, and again where its definition or the settings were read anew."""
    settings = conf.current()
    known = _known.get(definition.id)
    if known is None or known[0] is not definition or known[1] is not settings:
        known = _known[definition.id] = (definition, settings, Redaction(definition))
    return known[2]


def plain(
    value: Any,
    *,
    told: Callable[[str], str] = str,
    is_secret: Callable[[object], bool] = lambda name: False,
    foreign: Callable[[Any], Any] = lambda value: None,
) -> Any:
    """A value in JSON's types, as strict readers take them: no NaN, no infinity, no integer of 5,000 digits.

    `told`: applied to texts. `is_secret`: whether what a key names is masked. `foreign`: what stands for a value
    that JSON hasn't got. What lies too deep, or comes after 100,000 others, is None.
    """
    left = MOST_VALUES

    def inner(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value) if abs(value) < LARGEST else None
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, str):
            return told(str(value))
        if depth >= DEEPEST_JSON or left <= 0:
            return None
        if isinstance(value, Mapping):
            return {
                told(str(key)): MASK if is_secret(key) else inner(one, depth + 1)
                for key, one in islice(list(value.items()), max(0, left))
            }
        if isinstance(value, list | tuple):
            return [inner(one, depth + 1) for one in value[: max(0, left)]]
        return foreign(value)

    return inner(value, 0)


def parameters(process: str) -> list[str]:
    """The names of a handler's positional parameters after the job's id; the last may begin with a star."""
    try:
        found = list(inspect.signature(handlers.resolve(process)).parameters.values())[1:]
    except Exception:  # noqa: BLE001 - one in C may have no signature; whatever it is, its arguments are shown unnamed
        return []
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [one.name for one in found if one.kind in by_place]
    return names + [f"*{one.name}" for one in found if one.kind is inspect.Parameter.VAR_POSITIONAL]


def _rest(names: Sequence[str], place: int) -> str:
    """The name of an argument beyond the parameters: that of the star, if there is one."""
    return names[-1] if names and names[-1].startswith("*") else str(place + 1)


class _Text:
    """Reads as it is, without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class _Shortened(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple = DEEPEST + 2, 100, 100, 100
        self.maxset = self.maxfrozenset = self.maxdeque = 100
        self.maxstring = self.maxother = self.maxlong = 2_000


_shortened = _Shortened()
