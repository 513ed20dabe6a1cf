"""What `pool.using(…)` takes, checked."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connections

from yao_tasks.engines.base import Options

# In the contract, and not built yet.
LATER = frozenset({"run_after", "priority", "unique", "timeout", "expires"})


def options_from(given: Mapping[str, Any]) -> Options:
    """The options of an add. TypeError for an unknown name or a wrong type, ValueError for an unknown database."""
    for name, value in given.items():
        _checker(name)(value)
    return Options(**given)


def _checker(name: str) -> Callable[[Any], None]:
    if name in CHECKS:
        return CHECKS[name]
    if name in LATER:
        raise TypeError(f"using({name}=…) isn't built in this version. It takes {' and '.join(CHECKS)}.")
    near = difflib.get_close_matches(name, CHECKS, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"It takes {' and '.join(CHECKS)}."
    raise TypeError(f"using() has no option {name}. {hint}")


def _on_commit(value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"using(on_commit={value!r}): give True or False.")


def _database(value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"using(database={value!r}): give the alias of a database, as in settings.DATABASES.")
    if value not in connections.settings:
        raise ValueError(
            f"using(database={value!r}): settings.DATABASES has {', '.join(connections.settings)}."
        )


CHECKS: dict[str, Callable[[Any], None]] = {"on_commit": _on_commit, "database": _database}
