"""What costs the database something is kept for a while, as long as it costs: a hundredth of the time at most.

The next request after that pays for all; those that come meanwhile get what there is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from yao_tasks import boot
from yao_tasks.house import House

Value = TypeVar("Value")

# A minute of waiting for each 0.6 s of work.
TIMES = 100
SLOWLY = 0.9
# Where nothing seems to have changed, it is asked so many times less often, if it is kept for longer than this (s).
LONGER = 10
CHEAP = 1.0


@dataclass(slots=True)
class _Kept:
    lock: Lock
    value: Any = None
    seconds: float = 0.0
    """For so long it is kept."""
    until: float = 0.0
    mark: object = None
    at_last: float = 0.0
    """Then it is asked anew, whatever the mark says."""
    is_there: bool = False


# By the house: what another database has is something else, and so is what a test had.
_houses: "WeakKeyDictionary[House, dict[str, _Kept]]" = WeakKeyDictionary()


def kept(
    name: str, ask: Callable[[], Value], *, least: float = 0.0, mark: Callable[[], object] | None = None
) -> tuple[Value, float]:
    """What `ask` answers, or answered a while ago; and how old that may be (s). Raises what `ask` raises.

    `least`: it is kept for so long at least (s). `mark`: a cheap question, whose answer is another one as soon as
    that of `ask` may be: while it is the same, what costs more is asked `LONGER` times less often.
    """
    one = _houses.setdefault(boot.house(), {}).setdefault(name, _Kept(Lock()))
    if one.is_there and time.monotonic() < one.until:
        return one.value, one.seconds
    # One asks; the others needn't wait for it, if there is an older answer.
    if one.lock.acquire(blocking=not one.is_there):
        try:
            if not one.is_there or time.monotonic() >= one.until:
                _renew(one, ask, least, mark)
        finally:
            one.lock.release()
    return one.value, one.seconds


def _renew(one: _Kept, ask: Callable[[], object], least: float, mark: Callable[[], object] | None) -> None:
    is_cheap = one.is_there and one.seconds <= max(least, CHEAP)
    seen = None if mark is None or is_cheap else mark()
    begin = time.monotonic()
    if seen is not None and seen == one.mark and begin < one.at_last:
        one.until = begin + one.seconds
        return
    one.value, one.mark = ask(), seen
    now = time.monotonic()
    # Grows at once and shrinks slowly: a page that tells it would be another one each time.
    one.seconds = max(least, TIMES * (now - begin), SLOWLY * one.seconds)
    one.until, one.at_last, one.is_there = now + one.seconds, now + LONGER * one.seconds, True


def forget() -> None:
    """Somebody has changed something: ask anew."""
    _houses.pop(boot.house(), None)
