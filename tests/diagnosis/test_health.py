"""`health_check` beside a handler: found, called with a deadline, and not again while it hangs."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks import loading
from yao_tasks.diagnosis import health
from yao_tasks.diagnosis.health import Health

Ask = Callable[..., Health]


@pytest.fixture
def ask(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Ask the health of a task whose handler stands in a module with this `health_check`."""
    module = ModuleType("shop_jobs")
    monkeypatch.setitem(sys.modules, "shop_jobs", module)
    module.send = lambda job_id: None  # type: ignore[attr-defined]
    monkeypatch.setattr(health, "FRESH", 0.0)

    def ask_one(check: Any = None) -> Health:
        module.health_check = check  # type: ignore[attr-defined]
        site.task("mail", module.send, process="shop_jobs.send")
        return health.ask_all(loading.loaded().definitions.values())["mail"]

    yield ask_one
    health._visits.clear()


def raises() -> None:
    raise OSError("no \x1bdisk")


async def fails_later() -> bool:
    return False


def test_what_it_raises_or_answers_tells(ask: Ask) -> None:
    assert ask() == ask("no function") == Health(is_asked=False)
    assert ask(lambda: None) == ask(lambda: True) == Health()
    assert ask(lambda: False) == ask(fails_later) == Health(error="False")
    assert ask(raises) == Health(error="OSError: no \\x1bdisk")
    assert ask(lambda: sys.exit("gone")) == Health(error="SystemExit: gone")


def test_one_that_hangs_is_late_and_is_not_called_again(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.1)
    go, calls = threading.Event(), []

    def hangs() -> None:
        calls.append(1)
        assert go.wait(SECONDS)

    began = time.monotonic()
    late = [ask(hangs)]
    waited = time.monotonic()
    late.append(ask(hangs))
    again = time.monotonic() - waited
    go.set()

    assert late == [Health(is_late=True)] * 2
    assert again < (waited - began) / 2
    assert calls == [1]
    monkeypatch.setattr(health, "SECONDS", 5.0)
    assert until(lambda: ask(hangs).is_good, "it to answer")


def test_an_answer_is_good_for_some_seconds(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)

    monkeypatch.setattr(health, "FRESH", 60.0)

    assert [ask(check), ask(check)] == [Health(), Health()]

    assert calls == [1]


def test_a_registered_handlers_is_beside_the_function(ask: Ask, site: Site) -> None:
    ask(lambda: False)
    handler = sys.modules["shop_jobs"].send
    handler.__module__ = "shop_jobs"
    site.task("mail", handler)

    assert health.ask_all(loading.loaded().definitions.values())["mail"].error == "False"


def test_a_handler_that_can_not_be_imported_has_none(site: Site) -> None:
    site.task("mail", lambda job_id: None, process="no.such.module")

    assert health.ask_all(loading.loaded().definitions.values()) == {}
