"""What makes a job equal to another, where a task wants each but once."""

import json
from typing import Any

from yao_tasks.engines.base import Options


def key_of(args: tuple[Any, ...], kwargs: dict[str, Any], options: Options, *, unique: bool) -> str | None:
    """What makes a job equal to another: the key given, or the canonical JSON of its arguments; None: nothing."""
    if options.unique is not None:
        return f"key {options.unique}"
    if not unique:
        return None
    try:
        text = json.dumps([args, kwargs], sort_keys=True, separators=(",", ":"), allow_nan=False)
        _check_keys([args, kwargs])
        return text
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"The arguments can't be compared with those of other jobs, since they are no JSON ({error}). "
            'Give the job a key: pool.using(unique="…").add(…).'
        ) from error


def _check_keys(value: Any) -> None:
    """TypeError for a dict with a key that is no text: JSON makes {1: 2} and {"1": 2} equal."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is no text")
            _check_keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_keys(inner)
