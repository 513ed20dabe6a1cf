"""docs/recipes: each is a small project that does what its words say."""

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection, models
from django.http import Http404, HttpRequest
from django.test import RequestFactory

from tests.conftest import SECONDS, Site, until
from tests.docs.markdown import ROOT, blocks, read
from yao_tasks import boot, checks, tasks
from yao_tasks.errors import DuplicateJob
from yao_tasks.pools import Pool
from yao_tasks.workflows import find

# Tables, servers and processes: some seconds in all.
pytestmark = pytest.mark.slow

Recipe = Callable[[str], Pool]


@pytest.fixture
def recipe(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recipe]:
    """Write a recipe's files, with tables for its models; answers the pool of its task."""
    packages: list[str] = []
    tables: list[type[models.Model]] = []
    monkeypatch.syspath_prepend(tmp_path)

    def make(name: str) -> Pool:
        task = ""
        for block in blocks(read(ROOT / "docs" / "recipes" / f"{name}.md")):
            assert block.file is not None
            path = tmp_path / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
            if path.parent == site.folder:
                task = path.stem
            elif path.name == "models.py":
                tables.extend(_models(path.parent.name, block.text))
            packages.append(path.parent.name)
        if tables:
            with connection.schema_editor() as editor:
                for table in tables:
                    editor.create_model(table)
        boot.reset()
        assert [str(fault) for fault in checks.definition_faults()] == []
        return tasks[task]

    yield make
    boot.reset()
    if tables:
        with connection.schema_editor() as editor:
            for table in tables:
                editor.delete_model(table)
    for module in [module for module in sys.modules if module.split(".")[0] in packages]:
        del sys.modules[module]


def _models(package: str, text: str) -> list[type[models.Model]]:
    """The models of a recipe, as those of an app that is installed."""
    name = f"demo_project.accounts.{package}_models"
    if name not in sys.modules:
        module = ModuleType(name)
        exec(text, vars(module))
        sys.modules[name] = module
    sys.modules[f"{package}.models"] = sys.modules[name]
    return [one for one in apps.get_app_config("accounts").get_models() if one.__module__ == name]


def test_each_recipe_is_named_by_the_index() -> None:
    index = read(ROOT / "docs" / "index.md")

    pages = [path.name for path in sorted((ROOT / "docs" / "recipes").glob("*.md"))]

    assert len(pages) == 6
    assert [page for page in pages if f"(recipes/{page})" not in index] == []


# welcome-mail


def request(method: str, session: dict[str, Any], **data: str) -> HttpRequest:
    made = getattr(RequestFactory(), method)("/", data)
    made.session = session
    return made  # type: ignore[no-any-return]


@pytest.mark.django_db(transaction=True)
def test_a_welcome_mail_goes_out_after_the_commit_and_its_status_is_ones_own(recipe: Recipe) -> None:
    pool = recipe("welcome-mail")
    views = import_module("mails.views")
    session: dict[str, Any] = {}

    answer = views.sign_up(request("post", session, name="ada", email="ada@example.org"))
    pool.wait(session["welcome_mail"], SECONDS)

    assert answer.status_code == 201
    assert [(one.to, one.body) for one in mail.outbox] == [(["ada@example.org"], "Hello ada!")]
    status = views.mail_status(request("get", session)).content
    assert status == b'{"status": "SUCCESS", "attempt": 1}'
    with pytest.raises(Http404):
        views.mail_status(request("get", {}))


def test_the_mails_health_is_that_of_its_server(recipe: Recipe) -> None:
    recipe("welcome-mail")
    jobs = import_module("mails.jobs")
    with socket.create_server(("127.0.0.1", 0)) as server:
        jobs.MAIL_SERVER = server.getsockname()
        jobs.health_check()

    with pytest.raises(ConnectionRefusedError):
        jobs.health_check()


@pytest.mark.django_db(transaction=True)
def test_a_full_queue_turns_nobody_away(recipe: Recipe, caplog: pytest.LogCaptureFixture) -> None:
    pool = recipe("welcome-mail")
    pool.pause()
    pool.using(on_commit=False).add_many([(0,)] * 1000)
    session: dict[str, Any] = {}

    answer = import_module("mails.views").sign_up(request("post", session, name="ada", email="a@example.org"))

    assert (answer.status_code, session) == (201, {})
    assert "No welcome mail for user" in caplog.text
    assert User.objects.filter(username="ada").exists()
    pool.purge()


# batch-import


def file_of(folder: Path, *rows: str) -> Path:
    path = folder / "customers.csv"
    path.write_text("\n".join(["email,name", *rows, ""]))
    return path


@pytest.mark.django_db(transaction=True)
def test_an_import_is_all_or_nothing_and_names_the_line(recipe: Recipe, tmp_path: Path) -> None:
    pool = recipe("batch-import")
    views, customers = import_module("imports.views"), import_module("imports.models").Customer.objects
    rows = [f"u{number}@example.org,User {number}" for number in range(1_100)]

    job_id, link = views.start_import(file_of(tmp_path, *rows, "nobody,Nobody"))
    bad = pool.wait(job_id, SECONDS)
    none = customers.count()
    job_id, _ = views.start_import(file_of(tmp_path, *rows))
    good = pool.wait(job_id, SECONDS)

    assert bad.error is not None
    assert (bad.error.message, bad.attempt, none) == ("Line 1102: Enter a valid email address.", 1, 0)
    assert f"/import_customers/{bad.id}/" in link
    assert (good.response, good.total, customers.count()) == ({"rows": 1_100}, 1_100, 1_100)
    assert views.stop_import(job_id) is False


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_stopped_leaves_nothing(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe("batch-import")
    jobs, views = import_module("imports.jobs"), import_module("imports.views")
    entered, go, make = threading.Event(), threading.Event(), jobs.customer

    def slow(number: int, row: dict[str, str]) -> Any:
        if number == 600:
            entered.set()
            assert go.wait(SECONDS)
        return make(number, row)

    monkeypatch.setattr(jobs, "customer", slow)
    rows = [f"u{number}@example.org,User {number}" for number in range(1_100)]
    job_id, _ = views.start_import(file_of(tmp_path, *rows))
    assert entered.wait(SECONDS)

    assert views.stop_import(job_id) is True

    go.set()
    pool = tasks["import_customers"]
    until(lambda: pool.metrics()["stuck"] == 0, "its thread to come back")
    assert jobs.Customer.objects.count() == 0


# pictures


def test_pictures_are_shrunk_in_a_process_and_what_is_none_is_given_up(
    recipe: Recipe, tmp_path: Path
) -> None:
    from PIL import Image

    pool = recipe("pictures")
    Image.new("RGB", (2_000, 1_000)).save(tmp_path / "sea.png")
    (tmp_path / "text.png").write_text("no picture")

    good, bad = (pool.wait(pool.add(str(tmp_path / name)), 30) for name in ("sea.png", "text.png"))

    assert {name: Path(path).name for name, path in good.response.items()} == {
        "small": "sea-small.jpg",
        "large": "sea-large.jpg",
    }
    with Image.open(good.response["small"]) as picture:
        assert picture.size == (160, 80)
    assert bad.error is not None
    assert (bad.error.type, bad.attempt) == ("PIL.UnidentifiedImageError", 1)
    import_module("gallery.events").on_shrunk(good.id, good.response)


# third-party


class Answers(BaseHTTPRequestHandler):
    """Somebody else's API: what it answers next, by currency."""

    next: ClassVar[dict[str, list[int]]] = {}

    def do_GET(self) -> None:
        code = self.next[self.path[1:]].pop(0)
        self.send_response(code)
        self.send_header("Retry-After", "0.01")
        self.end_headers()
        self.wfile.write(b'{"rate": 1.25}')

    def log_message(self, *args: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def api(**answers: list[int]) -> Iterator[str]:
    """The address of one that gives these answers."""
    Answers.next = answers
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_an_api_is_asked_again_where_there_is_a_point(
    recipe: Recipe, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe("third-party")
    file = site.folder / "fetch_rate.yao"
    file.write_text(file.read_text().replace('"attempt_after": 1000', '"attempt_after": 1'))
    boot.reset()
    pool, jobs = tasks["fetch_rate"], import_module("rates.jobs")
    with api(eur=[503, 429, 200], xxx=[404], usd=[500] * 5) as url:
        monkeypatch.setattr(jobs, "URL", url)
        ids = [pool.add(currency) for currency in ("eur", "xxx", "usd")]
        eur, xxx, usd = (pool.wait(job_id, SECONDS) for job_id in ids)

    assert (eur.status, eur.response, eur.attempt) == ("SUCCESS", 1.25, 3)
    assert (xxx.response, xxx.attempt) == (f"{url} knows no rate of xxx.", 1)
    assert (usd.status, usd.attempt) == ("FAILURE", 5)
    pool.pause()
    first = pool.add("chf")
    with pytest.raises(DuplicateJob) as error:
        pool.add("chf")
    assert error.value.job_id == first
    pool.purge()


# pending-table


@pytest.mark.django_db(transaction=True)
def test_rows_become_jobs_as_far_as_there_is_room(recipe: Recipe) -> None:
    pool = recipe("pending-table")
    jobs, deliveries = import_module("orders.jobs"), import_module("orders.models").Delivery.objects
    deliveries.bulk_create([deliveries.model(address=f"Street {number}") for number in range(130)])
    pool.pause()

    fed = [jobs.feed(), jobs.feed()]

    assert fed == [100, 0]
    assert deliveries.filter(status="queued", job_id__in=list(pool.jobs)).count() == 100
    pool.resume()
    until(lambda: not pool.jobs, "all to run")
    until(lambda: jobs.feed() or not deliveries.exclude(status="delivered").exists(), "the rest")
    until(lambda: deliveries.filter(status="delivered").count() == 130, "all to be delivered")


@pytest.mark.django_db(transaction=True)
def test_a_row_whose_job_fails_says_so(recipe: Recipe, site: Site) -> None:
    recipe("pending-table")
    file = site.folder / "deliver.yao"
    file.write_text(file.read_text().replace('"attempt_after": 5000', '"attempt_after": 1'))
    boot.reset()
    jobs, deliveries = import_module("orders.jobs"), import_module("orders.models").Delivery.objects
    row = deliveries.create(address="nowhere")
    jobs.print = lambda *words: 1 / 0

    jobs.feed()

    failed = until(lambda: deliveries.filter(pk=row.pk, status="failed").first(), "it to fail")
    assert failed.error == "division by zero"


# chain


@pytest.mark.django_db(transaction=True)
def test_an_order_is_checked_paid_and_shipped_in_that_order(recipe: Recipe) -> None:
    recipe("chain")
    views = import_module("orders.views")
    waiting = views.place(["tea"], "4711", "Ada")
    before = json.loads(views.status(RequestFactory().get("/"), waiting).content)
    boot.house().work()

    good = find(views.place(["tea", "cup"], "4711", "Ada")).wait(SECONDS)
    bad = find(views.place(["tea", "car"], "4711", "Ada")).wait(SECONDS)

    assert (before["status"], before["percent"]) == ("WAITING", 0)
    assert before["steps"] == [
        ["check_order", "WAITING"],
        ["charge_order", "to come"],
        ["ship_order", "to come"],
    ]
    assert good.response == "to Ada, 13 paid"
    assert bad.response == "We don't sell car."
    assert [step.status for step in bad.steps] == ["FAILURE", None, None]
    assert find(waiting).wait(SECONDS).status == "SUCCESS"
