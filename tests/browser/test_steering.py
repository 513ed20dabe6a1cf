"""Steering pools and failed jobs in a real browser."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.browser.conftest import Open, playwright
from tests.conftest import Site, until
from tests.django.dashboard import user
from yao_tasks.pools import Pool

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

URL = "/admin/yao_tasks/dashboard/"


@pytest.fixture
def operator() -> User:
    return user("operator", "view_jobs", "operate_jobs", is_staff=True)


def said(page: Any) -> Any:
    return page.locator(".messagelist")


def row(page: Any, region: str = "pools") -> Any:
    """The only line of a table."""
    return page.locator(f"[data-region={region}] tbody tr").first


def test_a_pool_is_paused_fills_and_goes_on(site: Site, open_page: Open, operator: User) -> None:
    pool = site.task("mail", lambda job_id: None)
    page = open_page(operator, URL)

    page.get_by_role("button", name="Pause mail").click()
    playwright.expect(said(page)).to_contain_text("Paused mail")
    ids = [pool.add() for _ in range(3)]
    # Without a reload.
    playwright.expect(row(page)).to_contain_text("3 of 100")
    playwright.expect(row(page)).to_contain_text("Paused")
    page.get_by_role("button", name="Resume mail").click()

    playwright.expect(said(page)).to_have_text("Resumed mail.")
    assert {pool.wait(job_id, 5).status for job_id in ids} == {"SUCCESS"}
    playwright.expect(row(page)).to_contain_text("0 of 100")
    playwright.expect(row(page)).not_to_contain_text("Paused")


def test_a_pool_gets_more_workers_and_fewer(site: Site, open_page: Open, operator: User) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1)
    pool.add()
    pool.add()
    gate.entered()
    page = open_page(operator, URL)

    page.get_by_role("button", name="One more for mail: 2").click()
    playwright.expect(said(page)).to_have_text("Resized mail from 1 to 2 workers.")
    gate.entered()
    playwright.expect(row(page)).to_contain_text("2 of 2")
    page.get_by_role("button", name="One fewer for mail: 1").click()

    playwright.expect(said(page)).to_have_text("Resized mail from 2 to 1 workers.")
    playwright.expect(page.get_by_role("button", name="One fewer for mail: 0")).to_be_disabled()
    assert pool.metrics()["worker_nums"] == 1


@pytest.mark.parametrize("javascript", [True, False])
def test_a_purge_is_confirmed_first(
    javascript: bool, site: Site, open_page: Open, operator: User, said: list[str]
) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1)
    running = pool.add()
    gate.entered()
    pool.add_many([()] * 3)
    pool.using(run_after=600).add()
    page = open_page(operator, URL, java_script_enabled=javascript)

    page.get_by_role("link", name="Purge… mail").click()
    playwright.expect(page.get_by_text("3 jobs of mail wait for a worker.")).to_be_visible()
    page.get_by_role("link", name="No, take me back").click()
    assert pool.metrics()["waiting"] == 4
    page.get_by_role("link", name="Purge… mail").click()
    page.get_by_label("1 job that is delayed or between two runs, too").check()
    page.get_by_role("button", name="Cancel these jobs").click()

    playwright.expect(page.locator(".messagelist")).to_have_text("Purged mail: 4 jobs cancelled.")
    assert list(pool.jobs) == [running]
    assert said == []


def test_a_failed_job_is_tried_again(site: Site, open_page: Open, operator: User) -> None:
    runs: list[int] = []

    def handler(job_id: int) -> None:
        runs.append(job_id)
        if len(runs) == 1:
            raise ValueError("row 17: no date")

    pool = site.task("mail", handler)
    job_id = pool.add()
    pool.wait(job_id, 5)
    page = open_page(operator, URL)
    playwright.expect(row(page, "failures")).to_contain_text("row 17: no date")

    page.get_by_role("button", name=f"Retry job {job_id}").click()

    playwright.expect(said(page)).to_have_text(f"Retried job {job_id} of mail.")
    playwright.expect(page.get_by_text("No job has failed here")).to_be_visible()
    assert pool.wait(job_id, 5).status == "SUCCESS"


def test_all_controls_can_be_used_with_the_keyboard_alone(
    site: Site, open_page: Open, operator: User
) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1)
    pool.add_many([()] * 3)
    gate.entered()
    page = open_page(operator, URL)

    tab_to(page, "One more for mail: 2")
    page.keyboard.press("Space")
    playwright.expect(said(page)).to_have_text("Resized mail from 1 to 2 workers.")
    tab_to(page, "Pause mail")
    page.keyboard.press("Enter")
    playwright.expect(said(page)).to_contain_text("Paused mail")
    tab_to(page, "Purge… mail")
    page.keyboard.press("Enter")
    tab_to(page, "Cancel these jobs")
    page.keyboard.press("Enter")
    playwright.expect(said(page)).to_have_text("Purged mail: 1 job cancelled.")
    tab_to(page, "Resume mail")
    page.keyboard.press("Enter")

    playwright.expect(said(page)).to_have_text("Resumed mail.")
    assert (pool.metrics()["worker_nums"], pool.metrics()["paused"]) == (2, False)


def tab_to(page: Any, name: str) -> None:
    """Press Tab until the control of that name has the focus, and can be seen to have it."""
    control = page.get_by_role("link" if name.startswith("Purge") else "button", name=name)
    for _ in range(60):
        page.keyboard.press("Tab")
        if control.evaluate("one => one === document.activeElement"):
            assert control.evaluate("one => getComputedStyle(one).outlineStyle") != "none"
            return
    raise AssertionError(f"no {name} within 60 steps")


def test_what_was_opened_stays_open_when_the_page_is_refreshed(
    site: Site, open_page: Open, operator: User
) -> None:
    gate = site.gate()
    pool = site.task("mail", gate)
    cancelled = pool.add()
    gate.entered()
    pool.cancel(cancelled)
    until(lambda: pool.metrics()["stacks"])
    page = open_page(operator, URL)
    page.get_by_text("Where the stuck threads of mail are").click()
    page.evaluate("document.activeElement.blur()")

    pool.add()

    playwright.expect(row(page)).to_contain_text("1 of 2")
    playwright.expect(page.get_by_text("nobody opened the gate")).to_be_visible()


@pytest.mark.parametrize("width", [400, 800, 1100, 1400])
def test_no_column_is_cut_off_beside_the_sidebar(
    width: int, site: Site, open_page: Open, operator: User
) -> None:
    pool = scene(site)
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    page = open_page(operator, URL, viewport={"width": width, "height": 900})

    assert page.evaluate("document.documentElement.scrollWidth") == width
    for box in page.locator(".yt-scroll").all():
        assert box.evaluate("one => one.getBoundingClientRect().right") <= width
        # A reader can scroll it, not only a script.
        assert box.evaluate("one => getComputedStyle(one).overflowX") == "auto"
    for name in ("Purge… mail", f"Cancel job {next(iter(pool.jobs))}", "Retry job"):
        control = page.get_by_role("link" if name.startswith("Purge") else "button", name=name).first
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        # What is under the middle of it is the control itself: nothing covers it.
        middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        assert control.evaluate("(one, at) => one.contains(document.elementFromPoint(...at))", middle)


def test_a_table_that_scrolls_keeps_its_place_when_it_is_refreshed(
    site: Site, open_page: Open, operator: User
) -> None:
    pool = scene(site)
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    page = open_page(operator, URL, viewport={"width": 800, "height": 900})
    box = page.get_by_role("region", name="Pools")
    box.evaluate("one => one.scrollLeft = 40")
    assert box.evaluate("one => one.scrollLeft") == 40

    pool.add()

    playwright.expect(page.locator("[data-region=pools]")).to_contain_text("2 of 100")
    assert box.evaluate("one => one.scrollLeft") == 40


def scene(site: Site) -> Pool:
    """A pool of which there is something to say in each column."""
    gate = site.gate()

    def handler(job_id: int, kind: str = "slow") -> None:
        if kind == "bad":
            raise ValueError("row 17: no date")
        gate(job_id)

    pool = site.task("mail", handler, worker_nums=1, name="A mail to each of our customers")
    pool.wait(pool.add("bad"), 5)
    pool.add()
    gate.entered()
    pool.add()
    pool.using(run_after=600).add()
    return pool
