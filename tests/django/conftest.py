"""What several tests with Django need."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import translation

from yao_tasks import handlers

_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _no_language_is_left() -> Iterator[None]:
    """A request leaves its language behind in the thread."""
    yield
    translation.deactivate()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """A function that writes a package with the given modules (text by name) and returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def write(**modules: str) -> str:
        name = f"written{next(_NUMBERS)}"
        names.append(name)
        (tmp_path / name).mkdir()
        for one, text in {"__init__": "", **modules}.items():
            (tmp_path / name / f"{one}.py").write_text(text)
        return name

    yield write
    for name in [one for one in sys.modules if one.split(".")[0] in names]:
        del sys.modules[name]


@pytest.fixture
def fresh_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing registered, and no app looked through for handlers yet."""
    monkeypatch.setattr(handlers, "_discovered", False)
    monkeypatch.setattr(handlers, "registered", {})
    monkeypatch.setattr(handlers, "broken", {})
