"""docs/http.md: the examples with fetch, htmx and Django REST framework do what the words around them say."""

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
from django.test import Client, RequestFactory
from django.urls import include, path

from tests.browser.conftest import chromium, said
from tests.conftest import SECONDS, Site, until
from tests.docs.markdown import ROOT, blocks, read, section
from yao_tasks import current_job, tasks

__all__ = ["chromium", "said"]
pytestmark = pytest.mark.django_db(transaction=True)
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


def test_a_view_hands_out_the_link(shop: Path, steps: Steps, ada: User) -> None:
    client = Client()
    client.force_login(ada)

    url = client.post("/start/").json()["url"]

    assert Client().get(url).json()["status"] in ("WAITING", "RUNNING")


def test_htmxs_piece_of_a_page_is_its_users_own_and_ends_with_the_job(
    shop: Path, steps: Steps, ada: User, row_of: Callable[..., Any], settings: Any
) -> None:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [shop / "shop" / "templates"]}]
    pool = tasks["import_csv"]
    row = row_of(ada, pool.add())
    client, stranger = Client(), Client()
    client.force_login(ada)
    stranger.force_login(User.objects.create_user("bob"))
    running = client.get(f"/progress/{row.pk}/").content.decode()
    for _ in range(2):
        steps.go.release()
    pool.wait(row.job_id, SECONDS)
    ended = client.get(f"/progress/{row.pk}/").content.decode()

    assert f'hx-get="/progress/{row.pk}/"' in running
    assert 'value="100"' in ended
    assert "hx-get" not in ended
    assert stranger.get(f"/progress/{row.pk}/").status_code == 404


@pytest.mark.slow
def test_rest_framework_shows_and_cancels_ones_own(
    shop: Path, steps: Steps, ada: User, row_of: Callable[..., Any]
) -> None:
    needs("rest_framework")
    test = importlib.import_module("rest_framework.test")
    view = module("api").ImportView.as_view()
    pool = tasks["import_csv"]
    row = row_of(ada, pool.add())

    def ask(method: str, user: User | None) -> Any:
        request = getattr(RequestFactory(), method)("/")
        if user is not None:
            test.force_authenticate(request, user)
        return view(request, pk=row.pk)

    until(lambda: ask("get", ada).data["message"] == "step 0")
    answers = [ask("get", None), ask("get", User.objects.create_user("bob")), ask("delete", ada)]

    assert [answer.status_code for answer in answers] == [403, 404, 204]
    assert pool.get(row.job_id).error.kind == "cancelled"  # type: ignore[union-attr]
    assert set(ask("get", ada).data) == {"id", "status", "percent", "message", "elapsed", "eta"}


# In a browser


@pytest.fixture
def visit(chromium: Any, live_server: Any, ada: User) -> Iterator[Callable[[str], Any]]:
    """Open a page for Ada, without the policy: the test brings scripts along."""
    context = chromium.new_context(base_url=live_server.url, bypass_csp=True)
    client = Client()
    client.force_login(ada)
    session = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])

    def visit(address: str) -> Any:
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto(address)
        return page

    yield visit
    context.close()


@pytest.mark.browser
def test_fetch_follows_a_job_to_its_end(
    shop: Path, steps: Steps, ada: User, visit: Callable[[str], Any]
) -> None:
    client = Client()
    client.force_login(ada)
    url = client.post("/start/").json()["url"]
    page = visit(url)
    text = example("With fetch", "js").replace("export async", "window.seen = []; window.follow = async")
    page.evaluate(f"(url) => {{ {text}; window.end = follow(url, (job) => seen.push(job.message)); }}", url)
    for step in range(2):
        page.wait_for_function("step => seen.includes(`step ${step}`)", arg=step)
        steps.go.release()

    assert page.evaluate("end")["response"] == "the end"
    assert page.evaluate(
        "follow('/tasks/import_csv/1/', () => {}).catch((error) => error.message)"
    ).startswith("There is no")


@pytest.mark.browser
def test_htmx_draws_the_piece_again_until_the_end(
    shop: Path,
    steps: Steps,
    ada: User,
    row_of: Callable[..., Any],
    visit: Callable[[str], Any],
    settings: Any,
) -> None:
    needs("django_htmx")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [shop / "shop" / "templates"]}]
    pool = tasks["import_csv"]
    row = row_of(ada, pool.add())
    page = visit(f"/page/{row.pk}/")
    for step in range(2):
        page.get_by_text(f"step {step}").wait_for()
        steps.go.release()
    page.get_by_text("Imported.").wait_for()

    assert page.locator("progress").get_attribute("value") == "100"
