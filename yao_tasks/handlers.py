"""From the name in a definition to the callable it means, and what can be told of that callable.

A name is one that `register` gave, or else a dotted path: `pkg.module.function`, `pkg.module.Class.method`.
"""

import difflib
import inspect
import logging
import re
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from yao_tasks.core.faults import printable, shown
from yao_tasks.core.kinds import dotted

Handler = Callable[..., Any]
HandlerT = TypeVar("HandlerT", bound=Handler)

logger = logging.getLogger("yao_tasks")

_NAME = dotted("names joined with dots")

registered: dict[str, Handler] = {}

# The `processes` modules that failed while `autodiscover` imported them, with their errors' texts.
broken: dict[str, str] = {}


class HandlerError(ImportError):
    """A name that stands for no callable; the text says why."""


def register(name: str) -> Callable[[HandlerT], HandlerT]:
    """Return a decorator that makes a function known as `name`, for definitions and for `Process`.

    Raises ValueError for a name that can't be written in a definition, or that another function has.
    """
    if not _NAME.fits(name):
        raise ValueError(f"register: {shown(name)} is no name. Give {_NAME.wanted}.")

    def add(function: HandlerT) -> HandlerT:
        other = registered.setdefault(name, function)
        if _home(other) != _home(function):
            raise ValueError(
                f"register: {shown(name)} is {_home(other)} already. Give {_home(function)} another."
            )
        registered[name] = function
        return function

    return add


def autodiscover() -> None:
    """Import the `processes` module of each installed app that has one, once in the life of the process.

    One that fails is logged, and named in `broken`; the others count all the same. Any thread may call it.
    """
    global _discovered
    if _discovered:
        return
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "processes"):
            _discover(f"{app.name}.processes")
    # Only now: who comes meanwhile waits for the same imports, instead of missing a name.
    _discovered = True


_discovered = False


def resolve(name: str) -> Handler:
    """Return the callable that `name` means. Imports its module; raises `HandlerError` for all that is wrong.

    Call it when the app registry is ready. Any thread may.
    """
    autodiscover()
    if name in registered:
        return registered[name]
    if not _NAME.fits(name):
        raise HandlerError(f"{shown(name)} is no name of a callable. Give {_NAME.wanted}.")
    module, rest = _module(name)
    found = _attribute(name, module, rest)
    if not callable(found):
        raise HandlerError(f"{shown(name)} is {shown(found)}, which can't be called.")
    return found


def exception(name: str) -> type[BaseException]:
    """Return the exception class that a dotted path means; one without dots is a built-in. Raises `HandlerError`."""
    path = name if "." in name else f"builtins.{name}"
    found = _attribute(path, *_module(path))
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        raise HandlerError(f"{shown(name)} is {shown(found)}, which is no exception.")
    return found


def attribute(name: str) -> object:
    """Return what a dotted path means, whatever it is. Raises `HandlerError`."""
    return _attribute(name, *_module(name))


def is_async(function: Handler) -> bool:
    """Whether a call makes a coroutine or an asynchronous generator; sees through partials and objects."""
    # Here, not above: it imports asyncio, which costs each start of a process 20 ms.
    from asgiref.sync import iscoroutinefunction

    if isinstance(function, partial):
        # A partial of a partial is one, with the innermost function.
        function = function.func
    # A class is called through its type, which makes an instance; an object through its class.
    call = function if inspect.isroutine(function) else type(function).__call__
    return any(iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in (function, call))


def is_generator(function: Handler) -> bool:
    """Whether a call makes an asynchronous generator, which can't be awaited."""
    while isinstance(function, partial):
        function = function.func
    call = function if inspect.isroutine(function) else type(function).__call__
    return inspect.isasyncgenfunction(call)


def takes_job_id(function: Handler) -> bool:
    """Whether the first argument, the job's id, has a place to go to; True where that can't be known."""
    parameters = positional_parameters(function)
    return parameters is None or bool(parameters)


def first_parameter_fits(function: Handler) -> bool:
    """Whether the name of the first parameter may be that of a job's id; True where that can't be known."""
    parameters = positional_parameters(function)
    if not parameters or parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        return True
    return re.search(r"(^|_)(id|job|task|pk|n|number|num)$|^_", parameters[0].name) is not None


def positional_parameters(function: Handler) -> list[inspect.Parameter] | None:
    """Return the parameters that take arguments by place, or None where Python can't tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return None
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return [one for one in parameters if one.kind not in by_name]


def _home(function: Handler) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', repr(function))}"


def _discover(name: str) -> None:
    try:
        import_module(name)
    except (Exception, SystemExit) as error:
        broken[name] = f"{type(error).__name__}: {error}"
        logger.exception("%s can't be imported, so what it registers is not known.", name)


def _module(name: str) -> tuple[ModuleType, list[str]]:
    """Return the longest part of a dotted path that is a module, and the names that follow."""
    parts = name.split(".")
    if len(parts) == 1:
        raise HandlerError(
            f"Nothing is registered as {shown(name)}, and it is no dotted path.{_suggest(name, registered)}"
        )
    for length in range(len(parts) - 1, 0, -1):
        path = ".".join(parts[:length])
        try:
            return import_module(path), parts[length:]
        except ModuleNotFoundError as error:
            # Is it this module that is missing, or one that it imports?
            if not f"{path}.".startswith(f"{error.name}."):
                raise _failing(name, path, error) from error
        except (Exception, SystemExit) as error:
            raise _failing(name, path, error) from error
    raise HandlerError(f"{shown(name)}: there is no module {shown(parts[0])}.{_suggest(name, registered)}")


def _failing(name: str, module: str, error: BaseException) -> HandlerError:
    reason = printable(f"{type(error).__name__}: {error}")
    return HandlerError(f"{shown(name)}: the module {shown(module)} fails while it is imported ({reason}).")


def _attribute(name: str, module: ModuleType, rest: list[str]) -> object:
    """Return what the names in `rest` lead to, one after the other, from the module on."""
    found: object = module
    path = name.removesuffix("." + ".".join(rest))
    noun = "module" if len(rest) > 1 and hasattr(module, "__path__") else "attribute"
    for one in rest:
        try:
            found = getattr(found, one)
        except (ImportError, SystemExit) as error:
            # A module may import what it offers when it is first asked for (PEP 562).
            raise _failing(name, path, error) from error
        except AttributeError as error:
            said = f"{shown(name)}: {shown(path)} has no {noun} {shown(one)}."
            raise HandlerError(said + _suggest(one, dir(found))) from error
        path, noun = f"{path}.{one}", "attribute"
    return found


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {shown(close[0])}?" if close else ""
