"""Whether a handler can be called with what `add` was given: asked where a test should fail at its `add`."""

import inspect
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from yao_tasks.core.definitions import Definition


def check_call(
    definition: Definition, handler: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Raise TypeError, which names the handler and its signature, where these arguments don't fit it."""
    try:
        signature = inspect.signature(handler)
    except (ValueError, TypeError):  # one in C may have none
        return
    try:
        # 0 stands for the job's id.
        signature.bind(0, *args, **kwargs)
    except TypeError as error:
        raise TypeError(
            f'"{definition.id}": {shown_call("add", args, kwargs)} doesn\'t fit the handler '
            f"{definition.process}{signature}: {error}. It is called with the job's id, then with what add was given."
        ) from None


def shown_call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """A call as one would write it, long values cut short: `add('ada@example.org', name='Ada')`."""
    words = [*map(reprlib.repr, args), *(f"{key}={reprlib.repr(value)}" for key, value in kwargs.items())]
    return f"{name}({', '.join(words)})"
