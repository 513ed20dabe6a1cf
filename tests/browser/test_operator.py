"""What an operator does, in a real browser: with the mouse, with keys only, without JavaScript."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.browser.conftest import Open, playwright
from tests.browser.pages import URL, furnish
from tests.conftest import Site, until
from tests.django.dashboard import user
from yao_tasks.pools import Pool, tasks

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MINUTE = 60_000


@pytest.fixture
def operator() -> User:
    return user("operator", "view_jobs", "operate_jobs", "view_job_args", is_staff=True)


@pytest.fixture
def viewer() -> User:
    return user("viewer", "view_jobs", is_staff=True)


def said(page: Any) -> Any:
    return page.locator(".messagelist")


@pytest.fixture
def failing(site: Site) -> Pool:
    """A task of which three jobs have failed, that works from now on."""
    works: list[bool] = []

    def handler(job_id: int, address: str) -> None:
        if not works:
            raise ValueError("row 17: no date")

    pool = site.task("mail", handler)
    for _ in range(3):
        pool.wait(pool.add("ada@example.org"), 5)
    until(lambda: pool.metrics()["kept"]["raised"] == 3)
    works.append(True)
    return pool


@pytest.mark.parametrize("javascript", [True, False])
def test_an_operator_finds_what_failed_and_retries_all_of_it(
    javascript: bool, site: Site, failing: Pool, open_page: Open, operator: User, said: list[str]
) -> None:
    page = open_page(operator, URL, java_script_enabled=javascript)
    group = page.locator("[data-region=failures]")
    group.locator("summary").click()
    playwright.expect(group.locator("pre")).to_contain_text("ValueError: row 17: no date")

    page.get_by_role("button", name="Retry all 3").click()
    playwright.expect(page.get_by_text("This is for 3 jobs.")).to_be_visible()
    page.get_by_role("button", name="Retry these jobs").click()

    playwright.expect(page.locator(".messagelist")).to_have_text("Retried 3 jobs.")
    until(lambda: failing.metrics()["succeeded"] == 3)
    page.get_by_role("link", name=re.compile("^Succeeded")).click()
    playwright.expect(page.locator("[data-region=list] .yt-id")).to_have_count(3)
    playwright.expect(page.locator(".yt-tabs [aria-current]")).to_contain_text("Succeeded 3")
    assert said == []


def test_a_paused_pool_fills_is_resized_and_goes_on(site: Site, open_page: Open, operator: User) -> None:
    pool = site.task("mail", lambda job_id: None)
    page = open_page(operator, f"{URL}mail/pool/")

    page.get_by_role("button", name="Pause mail").click()
    playwright.expect(said(page)).to_contain_text("Paused mail")
    playwright.expect(page).to_have_url(re.compile("/mail/pool/$"))
    ids = [pool.add() for _ in range(3)]
    # Without a reload.
    playwright.expect(page.locator("[data-region=head]")).to_contain_text("3 of 100")
    page.get_by_role("button", name="One more for mail: 3").click()
    playwright.expect(said(page)).to_have_text("Resized mail from 2 to 3 workers.")
    page.get_by_role("button", name="Resume mail").click()

    playwright.expect(said(page)).to_have_text("Resumed mail.")
    assert {pool.wait(job_id, 5).status for job_id in ids} == {"SUCCESS"}
    playwright.expect(page.locator("[data-region=chart]")).to_contain_text("Succeeded 3")


@pytest.mark.parametrize("javascript", [True, False])
def test_chosen_jobs_are_cancelled_after_a_question(
    javascript: bool, site: Site, open_page: Open, operator: User
) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.pause()
    ids = [pool.add() for _ in range(4)]
    page = open_page(operator, f"{URL}jobs/", java_script_enabled=javascript)

    for job_id in ids[:2]:
        page.get_by_label(f"job {job_id}").check()
    page.get_by_role("button", name="Cancel…").click()
    playwright.expect(page.get_by_text("This is for 2 jobs.")).to_be_visible()
    page.get_by_role("link", name="No, take me back").click()
    assert len(pool.jobs) == 4
    page.get_by_label(f"job {ids[0]}").check()
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel these jobs").click()

    playwright.expect(said(page)).to_have_text("Cancelled 1 job.")
    assert list(pool.jobs) == ids[1:]


def test_what_was_chosen_stays_chosen_while_the_page_lives(
    site: Site, open_page: Open, operator: User
) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.pause()
    first = pool.add()
    page = open_page(operator, f"{URL}jobs/")
    page.get_by_label(f"job {first}").check()
    page.evaluate("document.activeElement.blur()")
    pool.add()

    playwright.expect(page.locator(".yt-when")).to_have_text("Held while you use it")
    # The tabs go on counting.
    playwright.expect(page.locator(".yt-tabs")).to_contain_text("Waiting 2")
    assert page.get_by_label(f"job {first}").is_checked()
    page.get_by_label(f"job {first}").uncheck()
    page.evaluate("document.activeElement.blur()")

    playwright.expect(page.locator("[data-region=list] .yt-id")).to_have_count(2)


def test_keys_alone_lead_everywhere(site: Site, failing: Pool, open_page: Open, operator: User) -> None:
    page = open_page(operator, f"{URL}jobs/")
    (newest, *_) = [info.id for info in failing.search()]

    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("error:r/o date")  # in a field both keys are letters
    assert page.evaluate("document.activeElement.value") == "error:r/o date"
    page.evaluate("document.activeElement.value = 'error:no date'")
    page.keyboard.press("Enter")
    playwright.expect(page).to_have_url(re.compile(r"q=error"))
    playwright.expect(page.locator("[data-region=list] .yt-id")).to_have_count(3)
    tab_to(page, f"job {newest}", "getAttribute('aria-label')")
    page.keyboard.press("Space")
    tab_to(page, "Retry…", "textContent")
    page.keyboard.press("Enter")
    playwright.expect(page.get_by_text("This is for 1 job.")).to_be_visible()
    tab_to(page, "Retry these jobs", "value")
    page.keyboard.press("Enter")

    playwright.expect(said(page)).to_have_text("Retried 1 job.")


def tab_to(page: Any, wanted: str, ask: str) -> None:
    """Press Tab until what has focus says so, as anybody without a mouse does."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.{ask} || ''").strip() == wanted:
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or (
                page.evaluate("getComputedStyle(document.activeElement).boxShadow") != "none"
            )
            return
    raise AssertionError(f"Tab never came to {wanted}")


def test_r_refreshes_and_only_outside_of_fields(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", site.gate())
    page = open_page(viewer, f"{URL}jobs/")
    page.get_by_role("button", name="Off").click()
    pool.add()
    page.locator("[name=q]").focus()
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    assert page.locator("[data-region=list] .yt-id").count() == 0
    page.evaluate("document.activeElement.blur()")

    page.keyboard.press("r")

    playwright.expect(page.locator("[data-region=list] .yt-id")).to_have_count(1)


def test_an_id_is_copied(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", lambda job_id: None)
    job_id = pool.add()
    page = open_page(viewer, f"{URL}mail/{job_id}/", permissions=["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy").first.click()

    playwright.expect(page.get_by_role("button", name="✓")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == str(job_id)


def test_without_javascript_there_is_no_button_that_copies(site: Site, open_page: Open, viewer: User) -> None:
    pool = site.task("mail", lambda job_id: None)
    page = open_page(viewer, f"{URL}mail/{pool.add()}/", java_script_enabled=False)

    assert not page.get_by_role("button", name="Copy").first.is_visible()


def test_a_job_that_is_forgotten_is_said_and_not_asked_for_again(
    site: Site, open_page: Open, viewer: User
) -> None:
    pool = site.task("mail", lambda job_id: None, retention=0)
    pool.pause()
    job_id = pool.add()
    page = open_page(viewer, f"{URL}mail/{job_id}/")
    pool.resume()

    playwright.expect(page.locator(".yt-when")).to_have_text("It isn't known here any more: reload the page")
    page.reload()
    playwright.expect(page.get_by_text(f"There is no job {job_id} of mail here.")).to_be_visible()


def test_who_may_only_look_sees_no_button_on_any_page(site: Site, open_page: Open, viewer: User) -> None:
    pages = furnish(site)
    page = open_page(viewer, pages["overview"])

    for name in (
        "overview",
        "jobs",
        "failures",
        "job",
        "failure",
        "running",
        "pool",
        "processes",
        "diagnosis",
    ):
        page.goto(pages[name])
        assert page.locator("#content-main .button:not(.yt-filters *)").count() == 0, name
        assert page.locator("#content-main input[type=checkbox]").count() == 0, name
    assert page.request.post(f"{URL}welcome_email/pause/").status == 403
    assert not tasks["welcome_email"].metrics()["paused"]
