"""The dashboard in a real browser."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.browser.conftest import Open, playwright
from tests.conftest import SECONDS, Site
from tests.django.dashboard import PAYLOAD, user
from yao_tasks import current_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

URL = "/admin/yao_tasks/dashboard/"
# Milliseconds of the page's own clock.
ROUND = 2_500
MINUTE = 60_000
BAR = "[data-region=jobs] progress"


@pytest.fixture
def operator() -> User:
    return user("operator", "view_jobs", "operate_jobs", is_staff=True)


@pytest.fixture
def viewer() -> User:
    return user("viewer", "view_jobs", is_staff=True)


class Steps:
    """A handler that goes on, a step at a time, when the test says so; then waits at a gate."""

    def __init__(self, gate: Callable[..., Any]) -> None:
        self.gate = gate
        self.next = threading.Semaphore(0)

    def __call__(self, job_id: int) -> None:
        job = current_job()
        assert job is not None
        for step in range(1, 4):
            if not self.next.acquire(timeout=SECONDS):
                return
            job.progress(step, 4, f"step {step}")
        self.gate(job_id)

    def step(self) -> None:
        self.next.release()


def test_progress_moves_without_a_reload(site: Site, open_page: Open, viewer: User, said: list[str]) -> None:
    steps = Steps(site.gate())
    pool = site.task("mail", steps)
    pool.add()
    steps.step()
    page = open_page(viewer, URL)
    page.evaluate("window.untouched = true")

    playwright.expect(page.locator(BAR)).to_have_attribute("value", "25")
    steps.step()

    playwright.expect(page.locator(BAR)).to_have_attribute("value", "50")
    playwright.expect(page.locator("bdi.yt-message")).to_have_text("step 2")
    assert page.evaluate("window.untouched")
    assert said == []


def test_the_cancel_button_ends_the_job(site: Site, open_page: Open, operator: User) -> None:
    gate = site.gate()
    pool = site.task("mail", gate)
    job_id = pool.add()
    gate.entered()
    page = open_page(operator, URL)

    page.get_by_role("button", name=f"Cancel job {job_id}").click()

    playwright.expect(page.locator(".messagelist")).to_have_text(f"Cancelled job {job_id} of mail.")
    assert pool.get(job_id).status == "FAILURE"
    playwright.expect(page.get_by_text("Nothing runs or waits here.")).to_be_visible()


def test_a_button_that_came_with_a_refresh_works_too(site: Site, open_page: Open, operator: User) -> None:
    pool = site.task("mail", site.gate())
    page = open_page(operator, URL)
    job_id = pool.add()

    page.get_by_role("button", name=f"Cancel job {job_id}").click()

    playwright.expect(page.locator(".messagelist")).to_have_text(f"Cancelled job {job_id} of mail.")


def test_who_may_only_look_sees_no_button(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", site.gate())
    pool.add()
    page = open_page(viewer, URL)

    playwright.expect(page.locator(".yt-id")).to_be_visible()
    assert page.locator(".yt-cancel").count() == 0


def test_without_javascript_the_page_is_there_and_can_be_used(
    site: Site, open_page: Open, operator: User
) -> None:
    gate = site.gate()
    pool = site.task("mail", gate)
    page = open_page(operator, URL, java_script_enabled=False)
    job_id = pool.add()
    gate.entered()

    page.get_by_role("link", name="Reload").click()

    playwright.expect(page.locator(".yt-id")).to_have_text(str(job_id))
    assert not page.locator(".yt-modes").is_visible()
    page.get_by_role("button", name="Cancel").click()
    playwright.expect(page.locator(".messagelist")).to_have_text(f"Cancelled job {job_id} of mail.")


def test_the_strict_policy_breaks_nothing_and_scripts_are_text(
    site: Site, open_page: Open, operator: User, said: list[str]
) -> None:
    gate = site.gate()

    def handler(job_id: int, count: int) -> None:
        current_job().progress(1, 2, PAYLOAD)  # type: ignore[union-attr]
        gate(job_id)

    pool = site.task("mail", handler, name=PAYLOAD)
    pool.add(1)
    page = open_page(operator, URL)
    dialogs: list[Any] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog))
    pool.add(2)

    playwright.expect(page.locator("bdi.yt-message")).to_have_text([PAYLOAD, PAYLOAD])
    response = page.request.get(URL)

    assert response.headers["content-security-policy"] == "default-src 'self'"
    assert page.evaluate("getComputedStyle(document.querySelector('.yt-bar')).height") == "8px"
    assert dialogs == []
    assert said == []


def test_off_stays_off_after_a_reload(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", site.gate())
    page = open_page(viewer, URL)
    page.get_by_role("button", name="Off").click()
    page.clock.install()
    page.reload()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    playwright.expect(page.get_by_role("button", name="Off")).to_have_attribute("aria-pressed", "true")

    page.clock.run_for(MINUTE)
    assert asked == []
    pool.add()
    page.get_by_role("button", name="Live").click()

    playwright.expect(page.locator(".yt-id")).to_be_visible()
    assert page.evaluate("localStorage.getItem('yao_tasks.refresh')") == "live"


def test_nothing_is_replaced_while_a_button_in_it_has_focus(
    site: Site, open_page: Open, operator: User
) -> None:
    gate = site.gate()
    pool = site.task("mail", gate)
    pool.add()
    gate.entered()
    page = open_page(operator, URL)
    button = page.locator(".yt-cancel").first
    button.focus()
    page.evaluate("window.button = document.activeElement")
    pool.add()

    playwright.expect(page.locator(".yt-when")).to_have_text("Held while you use it")
    # The other regions go on.
    playwright.expect(page.locator("[data-region=pools] td").first).to_contain_text("2 of 2")
    assert page.evaluate("window.button === document.activeElement && window.button.isConnected")
    assert page.locator(".yt-id").count() == 1
    page.evaluate("document.activeElement.blur()")

    playwright.expect(page.locator(".yt-id")).to_have_count(2)


def test_nothing_is_replaced_while_some_of_it_is_selected(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", site.gate())
    pool.add()
    page = open_page(viewer, URL)
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('.yt-id'))")
    selected = page.evaluate("String(document.getSelection())")
    pool.add()

    playwright.expect(page.locator(".yt-when")).to_have_text("Held while you use it")
    assert page.evaluate("String(document.getSelection())") == selected != ""
    page.evaluate("document.getSelection().removeAllRanges()")

    playwright.expect(page.locator(".yt-id")).to_have_count(2)


def test_what_was_held_back_comes_even_if_nothing_changes_any_more(
    site: Site, open_page: Open, viewer: User
) -> None:
    pool = site.task("mail", lambda job_id: None)
    page = open_page(viewer, URL)
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('.yt-name'))")
    pool.wait(pool.add(), SECONDS)
    when, succeeded = page.locator(".yt-when"), page.locator("td[data-label=Succeeded]")
    playwright.expect(when).to_have_text("Held while you use it")
    assert succeeded.inner_text() == "0"

    page.evaluate("document.getSelection().removeAllRanges()")

    playwright.expect(succeeded).to_contain_text("1 ")
    playwright.expect(when).to_contain_text("Updated")


def test_a_screen_reader_is_told_when_the_counts_change(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", site.gate())
    page = open_page(viewer, URL)
    speaker = page.get_by_role("status")
    assert speaker.inner_text() == ""

    pool.add()

    playwright.expect(speaker).to_have_text("1 running, 0 waiting")


def test_a_lost_connection_is_said_and_tried_again(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", site.gate())
    page = open_page(viewer, URL)
    page.route("**/fragment/**", lambda route: route.abort())

    playwright.expect(page.locator(".yt-when")).to_have_text("Connection lost, retrying")
    pool.add()
    page.unroute("**/fragment/**")

    playwright.expect(page.locator(".yt-id")).to_be_visible()
    playwright.expect(page.locator(".yt-when")).to_contain_text("Updated")


def test_the_end_of_the_session_is_said_and_nothing_is_asked_any_more(
    site: Site, open_page: Open, viewer: User
) -> None:
    page = open_page(viewer, URL)
    page.clock.install()
    page.reload()
    page.context.clear_cookies()
    page.clock.run_for(ROUND)

    playwright.expect(page.locator(".yt-when")).to_have_text("You may not look any more: reload the page")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(MINUTE)

    assert asked == []


def test_a_hidden_tab_asks_nothing(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", site.gate())
    page = open_page(viewer, URL)
    page.clock.install()
    page.reload()
    hide = "value => { Object.defineProperty(document, 'hidden', {value, configurable: true});"
    tell = "document.dispatchEvent(new Event('visibilitychange')) }"
    page.evaluate(hide + tell, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(MINUTE)
    assert asked == []
    pool.add()

    page.evaluate(hide + tell, False)

    playwright.expect(page.locator(".yt-id")).to_be_visible()


def test_a_tab_opened_in_the_background_asks_nothing(site: Site, open_page: Open, viewer: User) -> None:
    page = open_page(viewer, URL)
    page.add_init_script("Object.defineProperty(document, 'hidden', { value: true })")
    page.clock.install()
    page.reload()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.clock.run_for(MINUTE)

    assert asked == []


def test_what_has_not_changed_comes_as_304(site: Site, open_page: Open, viewer: User) -> None:
    page = open_page(viewer, URL)
    answers: list[int] = []
    page.on("response", lambda response: answers.append(response.status))

    with page.expect_response(lambda response: response.status == 304):
        pass

    assert answers[0] == 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_400_pixels_are_wide_enough(scheme: str, site: Site, open_page: Open, operator: User) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, name="A long name of a task that sends mails to customers")
    pool.add()
    gate.entered()
    page = open_page(operator, URL, viewport={"width": 400, "height": 800}, color_scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth") == 400
    box = page.locator(".yt-cancel").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 400
