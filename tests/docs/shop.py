"""The package that the examples of docs/http.md are of, on disk and among the URLs of a site."""

import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, models
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from tests.conftest import SECONDS, Site
from tests.docs.markdown import ROOT, blocks, read, section
from yao_tasks import current_job

PAGE = read(ROOT / "docs" / "http.md")

MODELS = """
from django.conf import settings
from django.db import models

class Import(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    job_id = models.BigIntegerField()

    class Meta:
        app_label = "accounts"
"""


def example(title: str, language: str) -> str:
    """The text of a section's example."""
    (found,) = [block.text for block in blocks(section(PAGE, title)) if block.language == language]
    return found


def needs(module: str) -> None:
    """Skip the test where that isn't installed; in CI it has to be."""
    if find_spec(module) is None:
        reason = f"{module} isn't installed: pip install -e '.[http]'"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package that the page's examples are of."""
    folder = tmp_path_factory.mktemp("docs")
    for block in blocks(PAGE):
        if block.file is not None and block.file.startswith("shop/"):
            target = folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
    (folder / "shop" / "__init__.py").touch()
    (folder / "shop" / "models.py").write_text(MODELS)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def row_of(shop: Path) -> Iterator[Callable[..., Any]]:
    """A function that makes a row for a user's job, in a table of its own."""
    model: type[models.Model] = importlib.import_module("shop.models").Import
    with connection.schema_editor() as editor:
        editor.create_model(model)
    yield lambda user, job_id: model._default_manager.create(user=user, job_id=job_id)
    with connection.schema_editor() as editor:
        editor.delete_model(model)


class Steps:
    """A handler that goes one step further whenever the test says so."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)

    def __call__(self, job_id: int, *args: Any) -> str:
        job = current_job()
        assert job is not None
        for step in range(2):
            job.progress(step, 2, f"step {step}")
            assert self.go.acquire(timeout=SECONDS)
        return "the end"


@pytest.fixture
def steps(site: Site, settings: Any) -> Iterator[Steps]:
    steps = Steps()
    site.task("import_csv", steps)
    settings.ROOT_URLCONF = __name__
    yield steps
    for _ in range(4):
        steps.go.release()


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password="ada")


def module(name: str) -> ModuleType:
    return importlib.import_module(f"shop.{name}")


def progress(request: HttpRequest, pk: int) -> HttpResponse:
    return module("htmx").import_progress(request, pk)  # type: ignore[no-any-return]


def page(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(
        '<!doctype html><meta name="htmx-config" content=\'{"includeIndicatorStyles": false}\'>'
        '<script src="/htmx.js"></script><body>' + progress(request, pk).content.decode()
    )


def script(request: HttpRequest) -> HttpResponse:
    folder = Path(str(importlib.import_module("django_htmx").__file__)).parent / "static" / "django_htmx"
    (found, *_) = [*folder.glob("htmx-2.min.js"), *folder.glob("htmx.min.js")]
    return HttpResponse(found.read_bytes(), content_type="text/javascript")


def start(request: HttpRequest) -> HttpResponse:
    return module("views").start_import(request)  # type: ignore[no-any-return]


urlpatterns = [
    path("tasks/", include("yao_tasks.urls")),
    path("start/", start),
    path("htmx.js", script),
    path("progress/<int:pk>/", progress, name="import_progress"),
    path("page/<int:pk>/", page),
]
