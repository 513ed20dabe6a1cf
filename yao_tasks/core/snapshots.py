"""A look at what other threads change meanwhile."""

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def first_of(changing: Iterable[T], most: int) -> list[T]:
    """The first of a dict's keys, values or items, so many at most, while others put in and take out.

    A copy of all of them can't be disturbed, but takes as long as there are many.
    """
    while True:
        try:
            return list(islice(changing, most))
        except RuntimeError:  # it changed between its beginning and the copy: that is short, and seldom
            continue
