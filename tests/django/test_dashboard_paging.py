"""How the page stays small: pages, pictures, queries, and answers that say that nothing has changed."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.conftest import Site
from tests.django.dashboard import FRAGMENT, OVERVIEW, added, operator, page, viewer
from yao_tasks.core import jobs as core_jobs
from yao_tasks.dashboard.durations import age, duration, limit, measured
from yao_tasks.dashboard.jobs import PER_PAGE, page_number
from yao_tasks.dashboard.pools import jobs_a_minute, queue_bar
from yao_tasks.engines import live, looking
from yao_tasks.pools import tasks

pytestmark = pytest.mark.django_db


def ids_on(text: str) -> list[int]:
    return [int(found) for found in re.findall(r'<span class="yt-id">(\d+)</span>', text)]


def fill(site: Site, count: int) -> list[int]:
    """One job that runs, and the others waiting behind it."""
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1, size=count)
    first = added(pool)
    gate.entered()
    return [first, *(added(pool) for _ in range(count - 1))]


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the jobs of which a picture was drawn."""
    drawn: list[int] = []

    def draw(job: core_jobs.Job, *rest: Any) -> core_jobs.JobInfo:
        drawn.append(job.id)
        return core_jobs.draw(job, *rest)

    monkeypatch.setattr(live, "draw", draw)
    monkeypatch.setattr(looking, "draw", draw)
    return drawn


def test_each_live_job_is_on_one_page(site: Site) -> None:
    ids = fill(site, 125)
    client = viewer()

    pages = [page(client, page=number) for number in (1, 2, 3)]

    assert [ids_on(text) for text in pages] == [ids[:50], ids[50:100], ids[100:]]
    assert "1 to 50 of 125 live jobs" in pages[0]
    assert "51 to 100 of 125 live jobs" in pages[1]
    assert [re.findall(r'href="\?page=(\d)" rel="(\w+)"', text) for text in pages] == [
        [("2", "next")],
        [("1", "prev"), ("3", "next")],
        [("2", "prev")],
    ]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("", 1),
        ("0", 1),
        ("-1", 1),
        ("1.5", 1),
        ("x", 1),
        ("²", 1),
        ("٣", 1),
        ("3", 3),
        ("4", 3),
        ("9" * 5000, 1),
    ],
)
def test_a_page_number_is_brought_into_range(wanted: str, number: int) -> None:
    assert page_number(wanted, 3) == number


@pytest.mark.parametrize("wanted", ["999", "0", "-3", "x", '"><script>', "1" * 5000])
@pytest.mark.parametrize("name", [OVERVIEW, FRAGMENT])
def test_a_page_beyond_the_last_shows_one_there_is(name: str, wanted: str, site: Site) -> None:
    ids = fill(site, 51)

    shown = ids_on(page(viewer(), name, page=wanted))

    assert shown == (ids[50:] if wanted == "999" else ids[:50])


def test_10_000_live_jobs_are_not_drawn_to_show_fifty(site: Site, pictures: list[int]) -> None:
    fill(site, 10_000)
    client = viewer()

    for number in (1, 100, 200):
        pictures.clear()
        assert len(ids_on(page(client, FRAGMENT, page=number))) == PER_PAGE
        # The running one is looked for on each page, and drawn once.
        assert len(pictures) == PER_PAGE + (number > 1)


def test_the_running_jobs_are_found_wherever_they_stand_in_the_queue(site: Site, pictures: list[int]) -> None:
    first, gate = site.gate(), site.gate()

    def handler(job_id: int, *, is_first: bool = False) -> None:
        (first if is_first else gate)(job_id)

    pool = site.task("mail", handler, worker_nums=1, size=1000)
    added(pool, is_first=True)
    first.entered()
    for _ in range(500):
        added(pool)
    hurried = pool.using(on_commit=False, priority=1).add()
    first.open()
    gate.entered()
    pictures.clear()

    text = page(viewer())

    assert ids_on(text)[0] == hurried
    assert len(pictures) == PER_PAGE


def test_more_running_jobs_than_come_first_stand_in_their_places(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yao_tasks.dashboard.jobs.FIRST", 2)
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=4)
    ids = [added(pool) for _ in range(5)]
    gate.entered(4)

    assert ids_on(page(viewer())) == ids


def test_a_job_that_ends_while_the_page_is_drawn_is_left_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(site, 5)
    pool = tasks["mail"]

    def draw(job: core_jobs.Job, *rest: Any) -> core_jobs.JobInfo:
        if job.id == ids[1]:  # the list is made by then
            pool.cancel(ids[3])
        return core_jobs.draw(job, *rest)

    monkeypatch.setattr(live, "draw", draw)

    assert ids_on(page(viewer())) == [*ids[:3], ids[4]]


def test_the_number_of_queries_does_not_grow_with_the_jobs(site: Site) -> None:
    client = operator()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(client)
        return len(captured)

    queries()
    site.task("empty", lambda job_id: None)
    few = queries()
    fill(site, 150)

    assert queries() == few


def test_what_has_not_changed_is_not_sent_again(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    client = viewer()
    url = reverse(FRAGMENT)
    first = client.get(url)

    again = client.get(url, headers={"if-none-match": first["ETag"]})
    pool.wait(added(pool), 5)
    changed = client.get(url, headers={"if-none-match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_the_fragment_holds_what_the_page_holds_and_no_token(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    client = operator()

    fragment = page(client, FRAGMENT)

    assert fragment.strip() in page(client)
    assert "csrf" not in fragment
    assert fragment.count("data-region=") == 7


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.4, "under 1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (7_380, "2 h 3 min"),
        (90_000, "1 d 1 h"),
        (86_400 * 30, "30 d"),
    ],
)
def test_a_duration_reads_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "0.25 s"), (30.0, "30 s"), (90, "1 min 30 s")])
def test_a_timeout_reads_exactly_while_it_is_short(seconds: float, text: str) -> None:
    assert limit(seconds) == text


@pytest.mark.parametrize(
    ("waiting", "size", "level"),
    [
        (0, 1, ""),
        (1, 1, "red"),
        (79, 100, ""),
        (80, 100, "amber"),
        (99, 100, "amber"),
        (100, 100, "red"),
    ],
)
def test_the_level_of_a_queue(waiting: int, size: int, level: str) -> None:
    assert queue_bar(waiting, size).level == level


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0002, "< 1 ms"),
        (0.0124, "12 ms"),
        (3.44, "3.4 s"),
        (59.9, "59.9 s"),
        (125, "2 min 5 s"),
    ],
)
def test_a_measured_time_reads_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert measured(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "under 1 min ago"), (59, "under 1 min ago"), (119, "1 min ago"), (7_300, "2 h ago")],
)
def test_how_long_ago_changes_once_a_minute_at_most(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("ended", "rate"),
    [
        ([0, 0, 0, 0, 0, 0], 0),
        # The minute that is under way counts only while there is no other.
        ([0, 0, 0, 0, 0, 7], 7),
        ([0, 0, 0, 0, 60, 7], 60),
        ([0, 10, 0, 0, 20, 7], 7.5),
        ([900, 10, 10, 10, 10, 10, 7], 10),
    ],
)
def test_jobs_a_minute_are_an_average_of_five_since_the_first_that_ended(
    ended: list[int], rate: float
) -> None:
    assert jobs_a_minute([{"succeeded": count, "failed": 0} for count in ended]) == rate


@pytest.mark.slow
def test_no_page_is_large_however_many_pools_and_jobs_there_are(site: Site) -> None:
    """200 KB: fifty pools, each with failures and waiting jobs."""

    def fails(job_id: int) -> None:
        raise ValueError("row 17: no date, and a message that goes on for a while " * 5)

    for number in range(50):
        site.task(f"task{number}", fails, name=f"A task with a name {number}")
    for number in range(50):
        pool = tasks[f"task{number}"]
        pool.wait(added(pool), 5)
        pool.pause()
        for _ in range(3):
            added(pool)
    client = operator()

    sizes = {
        name: len(client.get(f"/admin/yao_tasks/dashboard/{name}").content)
        for name in ("", "fragment/", "jobs/", "jobs/?status=failed")
    }

    assert {name: size for name, size in sizes.items() if size > 250_000} == {}
    assert sizes["jobs/"] < 200_000


def test_what_has_not_changed_is_not_drawn_either(site: Site) -> None:
    """An open page asks every two seconds: what it costs while nothing happens is what it costs."""
    pool = site.task("mail", lambda job_id: None)
    job_id = added(pool)
    pool.wait(job_id, 5)
    client = operator()

    for path in ("", "jobs/", f"mail/{job_id}/", "mail/pool/", "processes/"):
        url = f"/admin/yao_tasks/dashboard/{path}fragment/"
        first = client.get(url)
        again = client.get(url, headers={"if-none-match": first["ETag"]})

        assert first.templates
        assert (again.status_code, again.templates, again["ETag"]) == (304, [], first["ETag"])


def test_a_language_has_an_etag_of_its_own(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    client = viewer()
    url = reverse(FRAGMENT)
    etag = client.get(url)["ETag"]

    assert client.get(url, headers={"if-none-match": etag, "accept-language": "zh-hans"}).status_code == 200
