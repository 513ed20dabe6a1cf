"""Names of handlers: what they mean, what is said where they mean nothing, what is known of a callable."""

import functools
import json
import logging
import os.path
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pytest_django import Settings

from yao_tasks import handlers
from yao_tasks.handlers import HandlerError, resolve

pytestmark = pytest.mark.usefixtures("fresh_handlers")


class Desk:
    """Something with methods."""

    def method(self, job_id: int) -> None: ...

    @staticmethod
    def static(job_id: int) -> None: ...

    def __call__(self, job_id: int) -> None: ...


class AsyncDesk:
    async def __call__(self, job_id: int) -> None: ...


async def coroutine(job_id: int) -> None: ...


async def generator(job_id: int) -> AsyncIterator[int]:
    yield job_id


def why(name: str) -> str:
    with pytest.raises(HandlerError) as caught:
        resolve(name)
    assert isinstance(caught.value, ImportError)
    return str(caught.value)


def test_a_dotted_path_is_followed_through_packages_modules_and_classes() -> None:
    assert resolve("json.dumps") is json.dumps
    assert resolve("os.path.join") is os.path.join
    assert resolve(f"{__name__}.Desk.static") is Desk.static


def test_a_missing_module_is_told(module: Callable[..., str]) -> None:
    name = module(jobs="")

    assert why("nowhere_at_all.jobs.send") == (
        '"nowhere_at_all.jobs.send": there is no module "nowhere_at_all".'
    )
    assert why(f"{name}.jbos.send") == f'"{name}.jbos.send": "{name}" has no module "jbos".'


def test_a_missing_attribute_is_told_with_the_nearest_one(module: Callable[..., str]) -> None:
    name = module(jobs="class Desk:\n    def send(self): ...\n\ndef send_mail(job_id): ...\n")

    assert why(f"{name}.jobs.send_mial") == (
        f'"{name}.jobs.send_mial": "{name}.jobs" has no attribute "send_mial". Did you mean "send_mail"?'
    )
    assert why(f"{name}.jobs.Shop.send") == f'"{name}.jobs.Shop.send": "{name}.jobs" has no attribute "Shop".'
    assert why(f"{name}.jobs.Desk.sned") == (
        f'"{name}.jobs.Desk.sned": "{name}.jobs.Desk" has no attribute "sned". Did you mean "send"?'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def", "SyntaxError: invalid syntax (jobs.py, line 1)"),
    ],
)
def test_a_module_that_fails_while_it_is_imported_is_told(
    module: Callable[..., str], text: str, reason: str
) -> None:
    name = module(jobs=text)

    assert why(f"{name}.jobs.send") == (
        f'"{name}.jobs.send": the module "{name}.jobs" fails while it is imported ({reason}).'
    )


def test_a_module_that_fails_only_when_asked_is_told(module: Callable[..., str]) -> None:
    name = module(jobs="def __getattr__(name):\n    import no_such_library\n")

    assert "fails while it is imported (ModuleNotFoundError" in why(f"{name}.jobs.send")


def test_what_can_not_be_called_is_told(module: Callable[..., str]) -> None:
    name = module(jobs="LIMIT = 5\n")

    assert why(f"{name}.jobs.LIMIT") == f'"{name}.jobs.LIMIT" is 5, which can\'t be called.'


@pytest.mark.parametrize("name", [".relative.path", "a..b", "a b.c", ""])
def test_what_is_no_name_is_told(name: str) -> None:
    assert why(name).startswith(f"{json.dumps(name)} is no name of a callable. Give ")


def test_a_registered_name_comes_before_a_dotted_path() -> None:
    @handlers.register("json.dumps")
    def dumps(job_id: int) -> None: ...

    assert resolve("json.dumps") is dumps


def test_a_name_that_is_neither_is_told_with_the_nearest_one() -> None:
    handlers.register("report")(print)

    assert why("reprot") == (
        'Nothing is registered as "reprot", and it is no dotted path. Did you mean "report"?'
    )


def test_a_name_is_registered_for_one_function_only() -> None:
    handlers.register("report")(json.dumps)
    handlers.register("report")(json.dumps)

    with pytest.raises(
        ValueError, match=r'register: "report" is json\.dumps already\. Give json\.loads another\.'
    ):
        handlers.register("report")(json.loads)
    with pytest.raises(ValueError, match='register: "two words" is no name'):
        handlers.register("two words")


def test_the_processes_of_each_app_are_imported_at_the_first_need(
    module: Callable[..., str], settings: Settings
) -> None:
    name = module(
        processes="from yao_tasks.handlers import register\n\n@register('report')\ndef report(id): ...\n"
    )
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, name]
    before = dict(handlers.registered)

    assert before == {}
    assert resolve("report").__module__ == f"{name}.processes"


def test_processes_that_fail_are_logged_once_and_the_others_count(
    module: Callable[..., str], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    bad = module(processes="1 / 0")
    good = module(processes="from yao_tasks.handlers import register\nregister('report')(print)\n")
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, bad, good]

    assert resolve("report") is print
    assert resolve("report") is print
    assert handlers.broken == {f"{bad}.processes": "ZeroDivisionError: division by zero"}
    [record] = caplog.records
    assert (record.name, record.levelno) == ("yao_tasks", logging.ERROR)
    assert record.getMessage() == f"{bad}.processes can't be imported, so what it registers is not known."
    assert record.exc_info is not None


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (coroutine, True),
        (generator, True),
        (functools.partial(functools.partial(coroutine), 5), True),
        (AsyncDesk(), True),
        (functools.partial(AsyncDesk()), True),
        (AsyncDesk().__call__, True),
        (json.dumps, False),
        (print, False),
        (Desk(), False),
        (Desk().method, False),
        (functools.partial(json.dumps), False),
        # Calling the class makes an object, and no coroutine.
        (AsyncDesk, False),
    ],
)
def test_what_makes_a_coroutine_is_known(function: Callable[..., Any], expected: bool) -> None:
    assert handlers.is_async(function) is expected


@pytest.mark.parametrize(
    ("function", "takes", "fits"),
    [
        (lambda job_id: ..., True, True),
        (lambda pk, *rest: ..., True, True),
        (lambda order_id, /: ..., True, True),
        (lambda pk: ..., True, True),
        (lambda job: ..., True, True),
        (lambda task_number: ..., True, True),
        (lambda n: ..., True, True),
        (lambda _: ..., True, True),
        (lambda _ignored: ..., True, True),
        (lambda *args: ..., True, True),
        (lambda email: ..., True, False),
        (lambda paid: ..., True, False),
        (lambda identity: ..., True, False),
        (lambda: ..., False, True),
        (lambda **kwargs: ..., False, True),
        (lambda *, job_id: ..., False, True),
        (Desk.method, True, False),
        (Desk().method, True, True),
        (Desk(), True, True),
        (functools.partial(lambda email, job_id: ..., "a@example.org"), True, True),
        # Python can't tell the signature of this one.
        (max, True, True),
    ],
)
def test_the_place_of_the_job_id_is_known(function: Callable[..., Any], takes: bool, fits: bool) -> None:
    assert (handlers.takes_job_id(function), handlers.first_parameter_fits(function)) == (takes, fits)
