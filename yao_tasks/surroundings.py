"""What a project wants around each run: values carried over from the caller, and context managers."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from datetime import timedelta, tzinfo
from datetime import timezone as fixed
from functools import partial, update_wrapper
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone, translation

from yao_tasks import conf, handlers
from yao_tasks.core import strict
from yao_tasks.core.current import CurrentJob, current_job
from yao_tasks.core.faults import Code, Fault

Restore = Callable[[], object]
"""Sets one carried value in the run's fresh context."""
Around = Callable[[CurrentJob | None], AbstractContextManager[Any]]
_NOTHING: Any = object()


def carriers() -> tuple[Callable[[], Restore | None], ...]:
    """One for each name in `CARRY_CONTEXT`; called at each add, in the caller's thread. ImproperlyConfigured."""
    return tuple(_carrier(name) for name in conf.current().carry_context)


def arounds() -> tuple[Around, ...]:
    """The callables of `AROUND`, imported. ImproperlyConfigured."""
    try:
        return tuple(handlers.resolve(name) for name in conf.current().around)
    except handlers.HandlerError as error:
        raise ImproperlyConfigured(f'settings.YAO_TASKS["AROUND"]: {error}') from error


def surrounded(handler: Callable[..., Any], around: tuple[Around, ...]) -> Callable[..., Any]:
    """The handler, with the context managers entered around each run: the first outermost."""
    if not around:
        return handler
    inside = _await_inside if handlers.is_async(handler) else _run_inside
    # With its signature, which the testing kit asks for.
    return update_wrapper(partial(inside, handler, around), handler)


def carried() -> dict[str, Any]:
    """What `CARRY_CONTEXT` names, as the calling context has it, in JSON. TypeError, ValueError for what isn't that."""
    values: dict[str, Any] = {}
    for name in conf.current().carry_context:
        if name == "language":
            values[name] = translation.get_language()
        elif name == "timezone":
            values[name] = _zone_out(timezone.get_current_timezone())
        else:
            _add_value(name, values)
    return values


def restore(values: Mapping[str, Any]) -> None:
    """Set in the calling context what `carried` answered elsewhere."""
    for name, value in values.items():
        if name == "language":
            (translation.deactivate_all if value is None else partial(translation.activate, value))()
        elif name == "timezone":
            timezone.activate(_zone_in(value))
        else:
            variable = handlers.attribute(name)
            assert isinstance(variable, ContextVar)
            variable.set(value)


def _add_value(name: str, values: dict[str, Any]) -> None:
    variable = handlers.attribute(name)
    if not isinstance(variable, ContextVar) or (value := variable.get(_NOTHING)) is _NOTHING:
        return
    try:
        values.update(strict.copied((), {name: value})[1])
    except (TypeError, ValueError) as error:
        raise type(error)(
            f'CARRY_CONTEXT carries "{name}" over, and its value can\'t go to a process worker. {error}'
        ) from None


def _zone_out(zone: tzinfo) -> str | float:
    """The name of a time zone, or the seconds by which a nameless one differs from UTC."""
    key = getattr(zone, "key", None)
    return key if isinstance(key, str) else (zone.utcoffset(None) or timedelta()).total_seconds()


def _zone_in(value: str | float) -> tzinfo:
    return ZoneInfo(value) if isinstance(value, str) else fixed(timedelta(seconds=value))


def faults() -> list[Fault]:
    """What is wrong with `CARRY_CONTEXT` and `AROUND`. Imports what they name; never raises."""
    found = []
    for read in (carriers, arounds):
        try:
            read()
        except ImproperlyConfigured as error:
            hint = "Give the dotted path of a ContextVar, or of a callable(job) that makes a context manager."
            found.append(Fault(code=Code.WRONG_VALUE, text=str(error), hint=hint))
    return found


def _run_inside(handler: Callable[..., Any], around: tuple[Around, ...], /, *args: Any, **kwargs: Any) -> Any:
    with ExitStack() as stack:
        for one in around:
            stack.enter_context(one(current_job()))
        return handler(*args, **kwargs)


async def _await_inside(
    handler: Callable[..., Any], around: tuple[Around, ...], /, *args: Any, **kwargs: Any
) -> Any:
    with ExitStack() as stack:
        for one in around:
            stack.enter_context(one(current_job()))
        return await handler(*args, **kwargs)


def _carrier(name: str) -> Callable[[], Restore | None]:
    if name == "language":
        return _language
    if name == "timezone":
        return _timezone
    try:
        variable = handlers.attribute(name)
    except handlers.HandlerError as error:
        raise ImproperlyConfigured(f'settings.YAO_TASKS["CARRY_CONTEXT"]: {error}') from error
    if not isinstance(variable, ContextVar):
        raise ImproperlyConfigured(
            f'settings.YAO_TASKS["CARRY_CONTEXT"]: "{name}" is {variable!r}, no ContextVar.'
        )
    return partial(_value, variable)


def _language() -> Restore:
    language = translation.get_language()
    return translation.deactivate_all if language is None else partial(translation.activate, language)


def _timezone() -> Restore:
    return partial(timezone.activate, timezone.get_current_timezone())


def _value(variable: ContextVar[Any]) -> Restore | None:
    try:
        return partial(variable.set, variable.get())
    except LookupError:
        return None
