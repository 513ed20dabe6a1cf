"""Arguments that leave the process: strict JSON, the same set wherever they go.

Refused at `add`, with a sentence that names the argument: what comes out of a database or a pipe is then what
went in, but that a tuple comes back as a list.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yao_tasks.core.faults import shown

# API: an argument is a name for something, not the thing itself.
MOST_BYTES = 64 * 1024
# Deeper than any arguments of use, and far from Python's own limit.
MOST_LEVELS = 64
# What every JSON reader and database takes as an integer.
LOWEST, HIGHEST = -(2**63), 2**63 - 1

_encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def encoded(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The JSON text `[args, kwargs]` of a call's arguments.

    Raises TypeError for what is no JSON, ValueError for what is too large, too deep, or holds a NUL or a lone
    surrogate; the text names the argument.
    """
    for place, value in enumerate(args, 1):
        if type(value) not in _CHECKED or not _CHECKED[type(value)](value):
            _check(value, f"argument {place}")
    for name, value in kwargs.items():
        if type(value) not in _CHECKED or not _CHECKED[type(value)](value):
            _check(value, f"argument {name}")
        if not _fits(name):
            _check_text(name, f"the name of argument {shown(name)}")
    text = _encoder.encode((args, kwargs))
    # A character takes four bytes at most.
    if len(text) * 4 > MOST_BYTES and (size := len(text.encode())) > MOST_BYTES:
        raise ValueError(
            f"The arguments take {size:,} bytes as JSON, and {MOST_BYTES:,} are the most. "
            "Pass a primary key, or the path of a file."
        )
    return text


def copied(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments as they arrive elsewhere: whatever the caller does to his lists later. Raises as `encoded`."""
    text = encoded(args, kwargs)
    if all(type(value) in _CHECKED for value in args) and all(type(v) in _CHECKED for v in kwargs.values()):
        # Nothing in them can change.
        return tuple(args), dict(kwargs)
    return decoded(text)


def decoded(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that `encoded` made a text of. ValueError for another text."""
    try:
        args, kwargs = json.loads(text)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"{shown(text)} are no arguments.") from error
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise ValueError(f"{shown(text)} are no arguments.")
    return tuple(args), kwargs


def _fits(value: str) -> bool:
    # ASCII without a NUL: nearly all there is, and the quickest to see.
    return value.isascii() and "\0" not in value


# By type, no subclass: what is known to be fine without a further look.
_CHECKED: dict[type, Any] = {
    str: _fits,
    bool: lambda _: True,
    type(None): lambda _: True,
    int: lambda value: LOWEST <= value <= HIGHEST,
}


def _check(value: Any, where: str, level: int = 1) -> None:
    """Look at one argument, and at what it holds."""
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, int):
        if not LOWEST <= value <= HIGHEST:
            raise ValueError(
                f"{where.capitalize()} is an integer beyond 64 bits, which few can read. Pass a text."
            )
    elif isinstance(value, float):
        # Of NaN no comparison holds.
        if not abs(value) < float("inf"):
            raise TypeError(f"{where.capitalize()} is {value!r}, which is no JSON.")
    elif isinstance(value, list | tuple | dict):
        if level > MOST_LEVELS:
            raise ValueError(f"{where.capitalize()[:60]}… is nested more than {MOST_LEVELS} levels deep.")
        for inner, place in _inside(value, where):
            _check(inner, place, level + 1)
    else:
        raise TypeError(f"{where.capitalize()} is {_described(value)}, which is no JSON.{_advice(value)}")


def _inside(value: Any, where: str) -> Iterator[tuple[Any, str]]:
    if not isinstance(value, dict):
        yield from ((inner, f"{where}[{place}]") for place, inner in enumerate(value))
        return
    for key, inner in value.items():
        if not isinstance(key, str):
            raise TypeError(
                f"{where.capitalize()} has the key {shown(key)}, and JSON has texts as keys only."
            )
        _check_text(key, f"a key of {where}")
        yield inner, f"{where}[{shown(key)}]"


def _check_text(text: str, where: str) -> None:
    if "\0" in text:
        raise ValueError(f"{where.capitalize()} holds a NUL character, which not every database stores.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{where.capitalize()} holds a lone surrogate, which is no character."
            ) from error


def _described(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _advice(value: object) -> str:
    # A model of Django's, which isn't known here.
    if hasattr(type(value), "_meta") and hasattr(value, "pk"):
        return " Pass its primary key: the row may have changed when the job runs."
    if hasattr(value, "isoformat"):
        return " Pass its isoformat()."
    if isinstance(value, bytes):
        return " Pass a text, or the path of a file."
    if isinstance(value, set | frozenset):
        return " Pass a list."
    return ""
