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


@dataclass(slots=True)
class _Kept:
    lock: Lock
    value: Any = None
    seconds: float = 0.0
    """For so long it is kept."""
    until: float = 0.0
    is_there: bool = False


# By the house: what another database has is something else, and so is what a test had.
_houses: "WeakKeyDictionary[House, dict[str, _Kept]]" = WeakKeyDictionary()


def kept(name: str, ask: Callable[[], Value], *, least: float = 0.0) -> tuple[Value, float]:
    """What `ask` answers, or answered a while ago; and how old that may be (s). Raises what `ask` raises.

    `least`: it is kept for so long at least (s).
    """
    one = _houses.setdefault(boot.house(), {}).setdefault(name, _Kept(Lock()))
    if one.is_there and time.monotonic() < one.until:
        return one.value, one.seconds
    # One asks; the others needn't wait for it, if there is an older answer.
    if one.lock.acquire(blocking=not one.is_there):
        try:
            begin = time.monotonic()
            if not one.is_there or begin >= one.until:
                one.value = ask()
                now = time.monotonic()
                one.seconds = max(least, TIMES * (now - begin))
                one.until, one.is_there = now + one.seconds, True
        finally:
            one.lock.release()
    return one.value, one.seconds


def forget() -> None:
    """Somebody has changed something: ask anew."""
    _houses.pop(boot.house(), None)
