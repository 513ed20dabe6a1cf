"""docs/http.md: the examples with fetch and htmx, in a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.docs.shop import Steps, ada, example, needs, row_of, shop, steps
from yao_tasks import tasks

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["ada", "row_of", "shop", "steps"]


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
