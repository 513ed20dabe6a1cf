"""The original's examples, as docs/from-yao.md and from-yao-tests.md carry them over to Python, ready to be called."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.db import connection, models

from tests.conftest import Site
from tests.docs.markdown import ROOT, blocks, read
from yao_tasks import boot
from yao_tasks.pools import Pool, tasks

PAGES = [read(ROOT / "docs" / name) for name in ("from-yao.md", "from-yao-tests.md")]
EXAMPLES = [block for page in PAGES for block in blocks(page)]
# As Django finds the app of a model: by the module that it stands in.
MODELS_MODULE = "demo_project.accounts.from_yao"

Script = Callable[[str], Any]


@pytest.fixture(scope="session")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seed")
    (folder / "scripts").mkdir()
    for block in EXAMPLES:
        if block.language == "python" and (block.file or "").startswith("scripts/"):
            with (folder / str(block.file)).open("a") as file:
                file.write(f"{block.text}\n\n")
    return folder


@pytest.fixture
def script(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """A module of the package `scripts`, which the pages write; new in each test."""
    monkeypatch.syspath_prepend(_folder)
    _forget()
    yield lambda name: import_module(f"scripts.{name}")
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]


@pytest.fixture
def add_script(script: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Add a module to `scripts` that the original's page names and doesn't show."""

    def add(name: str, **functions: Any) -> None:
        import_module("scripts")
        module = ModuleType(f"scripts.{name}")
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(sys.modules["scripts"], name, module, raising=False)

    return add


@pytest.fixture
def definition(site: Site) -> Callable[..., Pool]:
    """Write a definition file as it is given, and answer its pool."""

    def write(task: str, text: str) -> Pool:
        (site.folder / f"{task}.yao").write_text(text)
        boot.reset()
        return tasks[task]

    return write


@pytest.fixture
def rows(transactional_db: None, site: Site, settings: Any) -> Iterator[dict[str, type[models.Model]]]:
    """The tables of the page's models, which `Process` calls `task` and `pending_tasks`."""
    made = _models()
    with connection.schema_editor() as editor:
        for model in made.values():
            editor.create_model(model)
    labels = {name: model._meta.label for name, model in made.items()}
    settings.YAO_TASKS = {**settings.YAO_TASKS, "MODELS": labels}
    yield made
    boot.reset()
    with connection.schema_editor() as editor:
        for model in made.values():
            editor.delete_model(model)


def _models() -> dict[str, type[models.Model]]:
    if MODELS_MODULE not in sys.modules:
        (text,) = [block.text for block in EXAMPLES if block.file == "shop/models.py"]
        module = ModuleType(MODELS_MODULE)
        exec(text, vars(module))
        sys.modules[MODELS_MODULE] = module
    found = vars(sys.modules[MODELS_MODULE])
    return {"task": found["Task"], "pending_tasks": found["PendingTask"]}
