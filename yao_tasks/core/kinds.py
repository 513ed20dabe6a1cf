"""What the value of a key must be: one `Kind` for each sort of value, made by the functions below."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yao_tasks.core.faults import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a value must be.

    `wanted` finishes the sentence "Give ...". `fits` decides, and never raises. `convert` makes what is kept
    of a value that fits. `cast` is what the text of an environment variable is cast to first.
    """

    wanted: str
    fits: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value
    cast: type = str


def whole(low: int, high: int | None = None, *, convert: Callable[[int], Any] = int) -> Kind:
    """Return the kind of whole numbers from `low` to `high` (None: no bound)."""

    def fits(value: object) -> bool:
        return type(value) is int and low <= value and (high is None or value <= high)

    bounds = f"of {low:,} or more" if high is None else f"between {low:,} and {high:,}"
    return Kind(wanted=f"a whole number {bounds}", fits=fits, convert=convert, cast=int)


def milliseconds(low: int, high: int) -> Kind:
    """Return the kind of whole milliseconds, kept as float seconds."""
    kind = whole(low, high, convert=lambda value: value / 1000)
    return Kind(wanted=f"{kind.wanted} (milliseconds)", fits=kind.fits, convert=kind.convert, cast=int)


def number(low: int, high: int | None = None, *, above: bool = False) -> Kind:
    """Return the kind of numbers from `low` (or only `above` it) to `high` (None: any), kept as floats."""

    def fits(value: object) -> bool:
        if type(value) not in (int, float):
            return False
        # 2**63: what is larger is no duration, and might not fit into a float.
        return low <= value <= (2**63 if high is None else high) and not (above and value == low)  # type: ignore[operator]

    wanted = f"a number above {low:,}" if above else f"a number of {low:,} or more"
    if high is not None:
        wanted = (
            f"a number above {low:,} and at most {high:,}"
            if above
            else f"a number between {low:,} and {high:,}"
        )
    return Kind(wanted=wanted, fits=fits, convert=float, cast=float)


def readable() -> Kind:
    """Return the kind of texts that people can read."""
    return Kind(wanted="a text that isn't empty and has no control characters", fits=_is_readable)


def dotted(what: str, *, example: str = "accounts.jobs.send") -> Kind:
    """Return the kind of names joined with dots; `what` they name and an `example` are for the message."""
    return Kind(wanted=f"{what}, such as {shown(example)}", fits=_is_dotted)


def choice(*options: str) -> Kind:
    """Return the kind of a few fixed texts."""
    listed = " or ".join(filter(None, [", ".join(map(shown, options[:-1])), shown(options[-1])]))
    return Kind(wanted=listed, fits=lambda value: isinstance(value, str) and value in options)


def flag() -> Kind:
    """Return the kind of true and false."""
    return Kind(wanted="true or false", fits=lambda value: type(value) is bool, cast=bool)


def listing(item: Kind) -> Kind:
    """Return the kind of lists whose elements are of the kind `item`, kept as tuples."""

    def fits(value: object) -> bool:
        return isinstance(value, list | tuple) and all(map(item.fits, value))

    def convert(value: Sequence[object]) -> tuple[Any, ...]:
        return tuple(map(item.convert, value))

    return Kind(wanted=f"a list, each element {item.wanted}", fits=fits, convert=convert, cast=list)


def path() -> Kind:
    """Return the kind of paths, given as text or `Path`."""
    return Kind(
        wanted="a path, as text or Path",
        fits=lambda value: isinstance(value, Path) or (_is_readable(value)),
        convert=Path,
    )


def mapping(item: Kind) -> Kind:
    """Return the kind of dicts from texts to values of the kind `item`."""

    def fits(value: object) -> bool:
        return (
            isinstance(value, dict) and all(map(_is_readable, value)) and all(map(item.fits, value.values()))
        )

    return Kind(wanted=f"a dict, each value {item.wanted}", fits=fits, convert=dict, cast=dict)


def id_of_task() -> Kind:
    """Return the kind of task ids."""
    return Kind(wanted='a task id, such as "mail.welcome"', fits=is_task_id)


def is_task_id(value: object) -> bool:
    """Whether each part between dots is made of letters (of any language), digits, `_` and `-`."""
    return isinstance(value, str) and all(map(_is_word, value.split(".")))


def _is_word(part: str) -> bool:
    # Marks (M) are part of the letters of many scripts.
    letters = (
        letter.isalnum() or letter in "_-" or unicodedata.category(letter)[0] == "M" for letter in part
    )
    return bool(part) and all(letters)


def _is_dotted(value: object) -> bool:
    return isinstance(value, str) and all(part.isidentifier() for part in value.split("."))


def _is_readable(value: object) -> bool:
    # Control characters and lone surrogates can't be logged or stored everywhere.
    return (
        isinstance(value, str)
        and bool(value.strip())
        and not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value)
    )
