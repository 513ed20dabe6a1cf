"""Arguments that leave their process: strict JSON, checked when a job is added, and copied.

The copy is what a job keeps: whatever its caller does to a list afterwards, the job runs with what was checked.
"""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from yao_tasks.core.faults import shown

# All arguments of one job as JSON, in bytes of UTF-8.
LIMIT = 64 * 1024
# A list within a list …: what contains itself never ends, and JSON readers have bounds of their own.
DEPTH = 100
# What every database keeps as an integer.
LEAST, MOST = -(2**63), 2**63 - 1

_PLAIN = (bool, type(None))

Where = int | str
"""The place of an argument, or its name."""


def checked(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A copy of the arguments in plain JSON types, tuples as lists.

    TypeError for what is no JSON (NaN, bytes, a set, a date, a key that is no text, what contains itself); for
    a model instance it says what to pass. ValueError for more than 64 KiB, NUL, lone surrogates and integers
    beyond 64 bits. Each names the argument: by its place, from 1 (the job's id isn't one), or by its name.
    """
    plain = tuple([_copied(value, place, 0) for place, value in enumerate(args, 1)])
    named = {_text(key, "name"): _copied(value, key, 0) for key, value in kwargs.items()}
    if _may_be_long([*plain, *named.values()]):
        _check_size(plain, named)
    return plain, named


def copied(value: Any, where: str) -> Any:
    """A copy of one value. Raises as `checked`, naming `where`."""
    return _copied(value, where, 0)


def _named(where: Where) -> str:
    return f"Argument {where}" if isinstance(where, int) else f'Argument "{where}"'


def _copied(value: Any, where: Where, depth: int) -> Any:
    cls = type(value)
    if cls is str or isinstance(value, str):
        return _text(value, where)
    if cls in _PLAIN:
        return value
    if isinstance(value, int):
        return _integer(value, where)
    if isinstance(value, float):
        if not isfinite(value):
            raise TypeError(f"{_named(where)} is {float(value)!r}, which JSON has no number for.")
        return float(value)
    if depth >= DEPTH:
        raise TypeError(f"{_named(where)} is nested more than {DEPTH} levels deep, or contains itself.")
    if isinstance(value, list | tuple):
        return [_copied(one, where, depth + 1) for one in value]
    if isinstance(value, dict):
        return {_key(key, where): _copied(one, where, depth + 1) for key, one in value.items()}
    raise _refusal(value, where)


def _text(value: str, where: Where) -> str:
    # A slice of a subclass's own making would be no plain str.
    text = str.__getitem__(value, slice(None))
    if text.isascii():
        if "\0" in text:
            raise ValueError(
                f"{_named(where)} contains a NUL character, which some databases can't keep. Take it out."
            )
        return text
    if "\0" in text:
        raise ValueError(
            f"{_named(where)} contains a NUL character, which some databases can't keep. Take it out."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise ValueError(
            f"{_named(where)} contains half a character (a lone surrogate, {half!r}), which UTF-8 doesn't have."
        ) from None
    return text


def _integer(value: int, where: Where) -> int:
    if not LEAST <= value <= MOST:
        raise ValueError(f"{_named(where)} is an integer beyond 64 bits. Pass it as text.")
    return int(value)


def _key(key: Any, where: Where) -> str:
    if not isinstance(key, str):
        raise TypeError(
            f"{_named(where)} has the key {shown(key)}, a {type(key).__name__}; JSON has only texts as keys."
        )
    return _text(key, where)


def _refusal(value: Any, where: Where) -> TypeError:
    if hasattr(value, "_meta") and hasattr(value, "pk"):
        return TypeError(
            f"{_named(where)} is a {type(value).__name__}: pass its primary key, and have the handler fetch it anew."
        )
    return TypeError(
        f"{_named(where)} is a {type(value).__name__}, which can't be passed to another process. "
        "Pass texts, numbers, True, False, None, and lists and dicts of these."
    )


def _may_be_long(values: Sequence[Any]) -> bool:
    """Whether it is worth measuring: most jobs have a few short arguments."""
    size = 0
    for value in values:
        if isinstance(value, list | dict):
            return True
        size += len(value) + 3 if isinstance(value, str) else 24
    # A character has four bytes at most, but for control characters, which JSON writes with six.
    return size > LIMIT // 6


def _check_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    size = _size([args, kwargs])
    if size <= LIMIT:
        return
    sizes: dict[Where, int] = {place: _size(value) for place, value in enumerate(args, 1)}
    sizes.update((key, _size(value)) for key, value in kwargs.items())
    largest = max(sizes, key=lambda one: sizes[one])
    raise ValueError(
        f"{_named(largest)} has {sizes[largest]:,} of the arguments' {size:,} bytes of JSON; at most {LIMIT:,} are "
        "taken. Store what is large, and pass its key or its path."
    )


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
