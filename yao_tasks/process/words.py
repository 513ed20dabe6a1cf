"""What a name of a process means, and the sentences for names and arguments that mean nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from yao_tasks.core.faults import shown
from yao_tasks.core.keys import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a name means: a function, and the words for its arguments; a `?` ends those that may be left out."""

    function: Callable[..., Any]
    arguments: tuple[str, ...] | None = ()
    """None: whatever is given, it is the function's own business."""


def call(name: str, meant: Call, args: tuple[Any, ...]) -> Any:
    """Call it. TypeError, before anything has happened, for too few or too many arguments."""
    words = meant.arguments
    if words is not None:
        fewest = sum(not word.endswith("?") for word in words)
        if not fewest <= len(args) <= len(words):
            wanted = ", ".join(word.replace("?", " (may be left out)") for word in words) or "none"
            raise TypeError(f"{shown(name)} was given {_count(len(args))}. Its arguments are: {wanted}.")
    return meant.function(*args)


def one_of(known: Mapping[str, Any], word: str, what: str) -> Any:
    """What stands in `known` under the word, in any case. LookupError with `what`, which begins the sentence."""
    try:
        return known[word.lower()]
    except KeyError:
        raise LookupError(f"{what} {shown(word)}. {nearest(word, known)}") from None


def _count(number: int) -> str:
    return "1 argument" if number == 1 else f"{number or 'no'} arguments"
