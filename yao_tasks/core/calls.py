"""Calls that are made later: the steps of a workflow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final


class _Previous:
    """Stands for the result of the step before, which isn't known yet."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PREVIOUS"


PREVIOUS: Final = _Previous()
"""As an argument of a step: the result of the step before; of a callback: what the members came to."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a task, to be made when its turn comes. `pool.call(…)` makes it."""

    task: str
    """The task's id."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Any = None
    """What `pool.using(…)` said, if it was asked."""

    @property
    def wants_previous(self) -> bool:
        """Whether an argument is `PREVIOUS`."""
        return any(value is PREVIOUS for value in (*self.args, *self.kwargs.values()))

    def filled(self, previous: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments, with the result of the step before where it is wanted."""

        def _value_of(value: Any) -> Any:
            return previous if value is PREVIOUS else value

        return tuple(map(_value_of, self.args)), {name: _value_of(one) for name, one in self.kwargs.items()}


def places_of(call: Call) -> Sequence[int | str]:
    """Where `PREVIOUS` stands: positions, and names."""
    positions = [place for place, value in enumerate(call.args) if value is PREVIOUS]
    return [*positions, *(name for name, value in call.kwargs.items() if value is PREVIOUS)]


def alike(calls: Sequence[Call]) -> Iterator[list[int]]:
    """The places of those that can be added together, with one task and the same options; in order each."""

    def _likeness(place: int) -> tuple[str, str]:
        return calls[place].task, repr(calls[place].options)

    for _, same in groupby(sorted(range(len(calls)), key=_likeness), key=_likeness):
        yield list(same)
