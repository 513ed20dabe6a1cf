"""What a verb of `manage.py tasks` answers, and how it says that it can't."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any


class UsageError(Exception):
    """What was asked can't be done as it was asked: exit code 2."""


class NotVisible(Exception):
    """It can't be seen, or steered, from a command: exit code 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a verb found or did. `code` is the exit code."""

    lines: Sequence[str]
    data: Any
    code: int = 0


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines with columns as wide as what stands in them."""
    cells = [heads, *rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
