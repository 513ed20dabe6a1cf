"""What `pool.using(…)`, `resize` and `search` take, checked: a sentence for each thing that is wrong."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.utils import timezone

from yao_tasks.core.errors import LONGEST_WAIT
from yao_tasks.core.faults import shown
from yao_tasks.core.jobs import CODES
from yao_tasks.core.keys import nearest
from yao_tasks.core.queries import Query
from yao_tasks.engines.base import Options
from yao_tasks.engines.search import ORDERS, PHASES

KINDS = ("raised", "timeout", "cancelled", "lost")
# The longest a definition's timeout may be: 30 days.
LONGEST_RUN = 2_592_000


def options_from(given: Mapping[str, Any]) -> Options:
    """The options of an add. TypeError for an unknown name or a wrong type, ValueError for a value out of range."""
    return Options(**{name: _checker(name)(value) for name, value in given.items()})


def _checker(name: str) -> Callable[[Any], Any]:
    if name in CHECKS:
        return CHECKS[name]
    near = difflib.get_close_matches(name, CHECKS, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(CHECKS)}."
    raise TypeError(f"using() has no option {name}. {hint}")


def _on_commit(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"using(on_commit={value!r}): give True or False.")
    return value


def _database(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"using(database={value!r}): give the alias of a database, as in settings.DATABASES.")
    if value not in connections.settings:
        raise ValueError(
            f"using(database={value!r}): settings.DATABASES has {', '.join(connections.settings)}."
        )
    return value


def _run_after(value: Any) -> float | datetime:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, datetime):
        if timezone.is_naive(value):
            raise ValueError(
                f"using(run_after={value!r}): a naive datetime. Give an aware one, as timezone.now() is."
            )
        if (value - timezone.now()).total_seconds() > LONGEST_WAIT:
            raise ValueError(f"using(run_after={value!r}): give a moment within the next ten years.")
        return value
    return _seconds("run_after", value, most=LONGEST_WAIT, hint="seconds, a timedelta or an aware datetime")


def _priority(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"using(priority={value!r}): give a whole number from -100 to 100.")
    if not -100 <= value <= 100:
        raise ValueError(f"using(priority={shown(value)}): give a whole number from -100 to 100.")
    return value


def _unique(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(
            f"using(unique={value!r}): give a text, which no other live job of the task may have."
        )
    if not value:
        raise ValueError("using(unique=''): give a text that isn't empty.")
    return value


def _timeout(value: Any) -> float:
    seconds = _seconds("timeout", value, most=LONGEST_RUN, hint="seconds above 0")
    if not seconds:
        raise ValueError("using(timeout=0): give seconds above 0.")
    return seconds


def _expires(value: Any) -> float:
    return _seconds("expires", value, most=LONGEST_WAIT, hint="seconds, 0 or more")


def _seconds(name: str, value: Any, *, most: float, hint: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"using({name}={value!r}): give {hint}.")
    # Of what is no number (NaN) no comparison holds.
    if not 0 <= value <= most:
        raise ValueError(f"using({name}={shown(value)}): give {hint}, {most:,} at most.")
    return float(value)


CHECKS: dict[str, Callable[[Any], Any]] = {
    "run_after": _run_after,
    "priority": _priority,
    "unique": _unique,
    "timeout": _timeout,
    "expires": _expires,
    "on_commit": _on_commit,
    "database": _database,
}


def checked_workers(worker_nums: Any) -> int:
    """The number of workers that `resize` takes. TypeError, ValueError."""
    if isinstance(worker_nums, bool) or not isinstance(worker_nums, int):
        raise TypeError(f"resize({worker_nums!r}): give a whole number from 1 to 1,000.")
    if not 1 <= worker_nums <= 1_000:
        raise ValueError(
            f"resize({shown(worker_nums)}): give a whole number from 1 to 1,000; pause() stops all starts."
        )
    return worker_nums


def query_from(given: Mapping[str, Any]) -> Query:
    """What `search` looks for. ValueError, TypeError with the values there are."""
    _one_of("status", given["status"], [None, *CODES])
    _one_of("kind", given["kind"], [None, *KINDS])
    _one_of("phase", given["phase"], [None, *PHASES])
    _one_of("order", given["order"], ORDERS)
    if given["text"] is not None and not isinstance(given["text"], str):
        raise TypeError(f"search(text={given['text']!r}): give a text.")
    for name in ("since", "until"):
        moment = given[name]
        if moment is not None and (not isinstance(moment, datetime) or timezone.is_naive(moment)):
            raise TypeError(f"search({name}={moment!r}): give an aware datetime.")
    for name in ("offset", "limit"):
        number = given[name]
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"search({name}={number!r}): give a whole number, 0 or more.")
    return Query(**given)


def _one_of(name: str, value: Any, values: Sequence[Any]) -> None:
    if value not in values:
        known = [one for one in values if one is not None]
        raise ValueError(f"search({name}={value!r}): there is no such {name}. {nearest(str(value), known)}")
