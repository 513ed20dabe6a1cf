"""What a definition names, imported, or else all that is wrong with it."""

from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from yao_tasks import handlers, surroundings
from yao_tasks.core.announcer import Events
from yao_tasks.core.definitions import Definition, too_many
from yao_tasks.core.faults import Code, Fault, printable, shown
from yao_tasks.core.keys import Place
from yao_tasks.engines.base import Callables


def imported(definition: Definition) -> Callables:
    """Return the callables that a definition names. ImproperlyConfigured, with all that is wrong with them."""
    errors = [str(fault) for fault in faults(definition) if fault.is_error]
    if errors:
        raise ImproperlyConfigured(" ".join(errors))
    named = {event: handlers.resolve(name) for event, name in definition.event.items()}
    handler = handlers.resolve(definition.process)
    return Callables(
        handler=surroundings.surrounded(handler, surroundings.arounds()),
        worker_type=worker_type(definition, handler),
        next_id=named.pop("next", None),
        events=Events(**named),
        retry_on=tuple(handlers.exception(name) for name in definition.retry_on),
        give_up_on=tuple(handlers.exception(name) for name in definition.give_up_on),
    )


def worker_type(definition: Definition, handler: Callable[..., Any]) -> str:
    """Return what runs the handler, `"auto"` resolved."""
    if definition.worker_type != "auto":
        return definition.worker_type
    return "async" if handlers.is_async(handler) else "thread"


def runs_as(definition: Definition) -> str:
    """Return what runs the task's handler, for people; empty where the handler can't be imported. Never raises."""
    try:
        return worker_type(definition, handlers.resolve(definition.process))
    except handlers.HandlerError:
        return ""


def faults(definition: Definition) -> list[Fault]:
    """Return what is wrong with the callables that a definition names. Imports them; never raises."""
    handler, faults = _resolve(definition, "process", definition.process, Code.HANDLER)
    if handler is not None:
        faults = [*_handler(definition, handler), *_numbers(definition, handler)]
    return [*faults, *_events(definition, handler), *_exceptions(definition)]


def discovery_faults() -> Iterator[Fault]:
    """Return what is wrong with the `processes` modules of the apps."""
    handlers.autodiscover()
    for module, reason in handlers.broken.items():
        yield Fault(
            code=Code.PROCESSES,
            text=f"{module} fails while it is imported ({printable(reason)}).",
            hint="Mend the module: what it registers is not known.",
        )


def _handler(definition: Definition, function: Callable[..., Any]) -> Iterator[Fault]:
    name = f'{printable(definition.path)}: "process" {shown(definition.process)}'
    kind = definition.worker_type
    if handlers.is_generator(function):
        text = f"{name} is an asynchronous generator, which nobody can await."
        yield _fault(definition, Code.ASYNC, text, "Return the result instead of yielding it.")
    elif handlers.is_async(function) and kind not in ("auto", "async"):
        text = f'{name} is an async def, and "worker_type" is {shown(kind)}.'
        yield _fault(definition, Code.ASYNC, text, _NO_THREAD)
    elif kind == "async" and not handlers.is_async(function):
        text = f'{name} is no async def, and "worker_type" is "async".'
        yield _fault(definition, Code.ASYNC, text, _NO_COROUTINE)
    if not handlers.takes_job_id(function):
        hint = "Give it the job's id as its first parameter: def handler(job_id, ...)."
        yield _fault(definition, Code.NO_JOB_ID, f"{name} takes no positional argument.", hint)
    elif not handlers.first_parameter_fits(function):
        hint = "Put job_id before the others: def handler(job_id, ...). If it is the id, call it so."
        text = (
            f"{name} gets the job's id first, but its first parameter is named otherwise: {_first(function)}."
        )
        yield _fault(definition, Code.FIRST_PARAMETER, text, hint)


def _first(function: Callable[..., Any]) -> str:
    return next((shown(one.name) for one in handlers.positional_parameters(function) or []), "?")


_NO_THREAD = 'Use def, or leave "worker_type" out: an async def then runs as a coroutine.'
_NO_COROUTINE = (
    'Use async def, or leave "worker_type" out: a def then runs in a thread. Where a decorator hides an async def, '
    "mark what it returns with asgiref.sync.markcoroutinefunction."
)


def _numbers(definition: Definition, function: Callable[..., Any]) -> Iterator[Fault]:
    # Of the other types the file itself tells it.
    if definition.worker_type == "auto" and worker_type(definition, function) != "async":
        place = Place(where=str(definition.path), task=definition.id, path=definition.path)
        yield from too_many(definition, place)


def _events(definition: Definition, handler: Callable[..., Any] | None) -> Iterator[Fault]:
    for event, name in definition.event.items():
        function, fault = _resolve(definition, f"event.{event}", name, Code.EVENT)
        yield from fault
        if function is None or handler is None or not handlers.is_async(function):
            continue
        said = f'{printable(definition.path)}: "event.{event}" {shown(name)} is'
        if handlers.is_generator(function):
            hint = "Return instead of yielding."
            yield _fault(definition, Code.ASYNC, f"{said} an asynchronous generator.", hint)
        elif event == "next":
            hint = "Use def: it makes an id in the thread of whoever adds a job."
            yield _fault(definition, Code.ASYNC, f"{said} an async def.", hint)
        elif worker_type(definition, handler) != "async":
            hint = "Use def: an async event needs coroutines, as a handler that is an async def has."
            yield _fault(definition, Code.ASYNC, f"{said} an async def.", hint)


def _exceptions(definition: Definition) -> Iterator[Fault]:
    for key in ("retry_on", "give_up_on"):
        for name in getattr(definition, key):
            try:
                handlers.exception(name)
            except handlers.HandlerError as error:
                text = f'{printable(definition.path)}: "{key}" can\'t be used. {error}'
                hint = "Give dotted paths of exceptions, such as smtplib.SMTPException or ConnectionError."
                yield _fault(definition, Code.EXCEPTION, text, hint)


def _resolve(
    definition: Definition, key: str, name: str, code: Code
) -> tuple[Callable[..., Any] | None, list[Fault]]:
    try:
        return handlers.resolve(name), []
    except handlers.HandlerError as error:
        text = f'{printable(definition.path)}: "{key}" can\'t be used. {error}'
        hint = "Give the dotted path of a callable, or a name registered in an app's processes.py."
        return None, [_fault(definition, code, text, hint)]


def _fault(definition: Definition, code: Code, text: str, hint: str) -> Fault:
    return Fault(code=code, text=text, hint=hint, task=definition.id, path=definition.path)
