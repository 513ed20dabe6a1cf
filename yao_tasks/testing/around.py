"""A context manager that decorates, too: functions, async functions, and classes of tests."""

import inspect
import unittest
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

ValueT = TypeVar("ValueT")
TargetT = TypeVar("TargetT", bound=Callable[..., Any])


class Around(Generic[ValueT]):
    """What `open` answers, entered anew each time; `name`: the parameter or attribute that is given its value."""

    def __init__(self, open: Callable[[], AbstractContextManager[ValueT]], name: str | None = None) -> None:  # noqa: A002
        self._open = open
        self._name = name
        self._entered: list[AbstractContextManager[ValueT]] = []

    def __enter__(self) -> ValueT:
        inside = self._open()
        value = inside.__enter__()
        self._entered.append(inside)
        return value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._entered.pop().__exit__(kind, error, traceback)

    def __call__(self, target: TargetT) -> TargetT:
        """Decorate. TypeError for what is neither a function nor a class of tests."""
        if isinstance(target, type):
            if not issubclass(target, unittest.TestCase):
                raise TypeError(
                    f"{target.__qualname__} is no unittest.TestCase. Decorate its methods, or use `with`."
                )
            self._decorate_class(target)
            return target
        if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
            raise TypeError(
                f"{target.__qualname__} is a generator: it runs after the decorator. Use `with` in it."
            )
        return cast(TargetT, self._decorated(target))

    def _decorated(self, function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)
        name = self._name if self._name in signature.parameters else None

        def given(value: ValueT, kwargs: dict[str, Any]) -> dict[str, Any]:
            return kwargs if name is None else {**kwargs, name: value}

        @wraps(function)
        def plain(*args: Any, **kwargs: Any) -> Any:
            with self as value:
                return function(*args, **given(value, kwargs))

        @wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with self as value:
                return await function(*args, **given(value, kwargs))

        wrapper: Callable[..., Any] = coroutine if inspect.iscoroutinefunction(function) else plain
        if name is not None:
            # pytest would look for a fixture of this name.
            left = [one for one in signature.parameters.values() if one.name != name]
            wrapper.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return wrapper

    def _decorate_class(self, case: type[unittest.TestCase]) -> None:
        set_up: Callable[[unittest.TestCase], None] = case.setUp

        @wraps(set_up)
        def entered_first(test: unittest.TestCase) -> None:
            value = test.enterContext(self)
            if self._name is not None:
                setattr(test, self._name, value)
            set_up(test)

        # As a cleanup it ends after tearDown and all later cleanups, and before Django empties the database.
        case.setUp = entered_first  # type: ignore[method-assign,assignment]
