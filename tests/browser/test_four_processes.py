"""An operator at work under gunicorn with four processes: whichever answers, the browser shows one story."""

import re
from typing import Any

import pytest

from tests.browser.conftest import playwright
from tests.conftest import until
from tests.servers.conftest import Server, site
from tests.servers.test_four_processes import server

__all__ = ["server", "site"]
pytestmark = pytest.mark.browser

STATIC = """
from django.contrib.staticfiles.views import serve

urlpatterns += [path("static/<path:path>", serve, {"insecure": True})]
"""
JOBS = """
def refused(job_id):
    import pathlib
    if not pathlib.Path("works").exists():
        raise ValueError("row 17: no date")
"""
URL = "/admin/yao_tasks/dashboard/"
JOBS_OF = 12


@pytest.fixture
def browsed(site: Any, request: pytest.FixtureRequest) -> Server:
    """The server, which serves scripts and styles as well."""
    for name, text in (("urls", STATIC), ("jobs", JOBS)):
        path = site.project.folder / f"{name}.py"
        path.write_text(path.read_text() + text)
    served: Server = request.getfixturevalue("server")
    return served


@pytest.fixture
def page(chromium: Any, browsed: Server) -> Any:
    """A browser whose user has logged in."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{browsed.port}")
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(f"/admin/login/?next={URL}")
    page.fill("[name=username]", "operator")
    page.fill("[name=password]", "operator")
    page.click("[type=submit]")
    yield page
    context.close()


def test_what_failed_in_four_processes_is_retried_and_each_refresh_tells_the_same(
    page: Any, browsed: Server
) -> None:
    pids = {browsed.get("add/kept/refused/", "POST")["pid"] for _ in range(JOBS_OF)}
    group = page.locator("[data-region=failures]")
    retry = group.get_by_role("button", name=f"Retry all {JOBS_OF}")

    def is_shown() -> bool:
        page.goto(URL)
        return bool(retry.count())

    until(is_shown, "all failures to be written")
    group.locator("summary").click()
    playwright.expect(group.locator("pre")).to_contain_text("ValueError: row 17: no date")
    (browsed.project.folder / "works").touch()
    retry.click()
    playwright.expect(page.get_by_text(f"This is for {JOBS_OF} jobs.")).to_be_visible()
    page.get_by_role("button", name="Retry these jobs").click()
    playwright.expect(page.locator(".messagelist")).to_have_text(f"Retried {JOBS_OF} jobs.")

    answered = set()

    def story() -> tuple[str, ...]:
        """What a process tells, and which one it is."""
        page.goto(URL)
        answered.add(re.search(r"Process (\d+), \d of \d", page.inner_text("#content"))[1])  # type: ignore[index]
        tiles = re.findall(r"(Succeeded|Failed)\s+(\d+)", page.inner_text("[data-region=tiles]"))
        return (*map(" ".join, tiles), group.inner_text())

    # Counts are five seconds old at most, in each process for itself.
    until(
        lambda: {story()[:2] for _ in range(8)} == {(f"Succeeded {JOBS_OF}", "Failed 0")},
        "new counts",
        seconds=30,
    )
    assert len({story() for _ in range(8)}) == 1
    assert len(pids) > 1
    assert len(answered) > 1

    # And by itself, as an open page does.
    told = set()
    for _ in range(3):
        with page.expect_response(lambda answer: "/fragment/" in answer.url):
            pass
        told.add((page.inner_text("[data-region=tiles]"), group.inner_text()))
    assert len(told) == 1
