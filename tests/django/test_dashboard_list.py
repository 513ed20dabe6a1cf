"""The list of jobs: tabs, filters, pages, and what its address may ask for."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from tests.conftest import Site, until
from tests.django.dashboard import PAYLOAD, added, client_of, operator, read, user, viewer
from tests.django.test_dashboard_page import words
from yao_tasks import current_job
from yao_tasks.dashboard import finding
from yao_tasks.dashboard.filters import Filter, read_filter

pytestmark = pytest.mark.django_db

JOBS = "/admin/yao_tasks/dashboard/jobs/"
SECRET = "hunter2-9f3"


def auditor() -> Client:
    """Somebody who may look, and see arguments."""
    return client_of(user("auditor", "view_jobs", "view_job_args", is_staff=True))


def ids_of(text: str) -> list[int]:
    return [int(found) for found in re.findall(r'<span class="yt-id">(\d+)</span>', text)]


def ids(client: Client, **query: Any) -> list[int]:
    """The ids in the list, in order."""
    return ids_of(read(client, JOBS, **query))


def tabs(text: str) -> dict[str, int]:
    found = re.findall(r'>([^<>]+) <span class="yt-count">([\d,]+)</span>', text)
    return {word.strip(): int(count.replace(",", "")) for word, count in found}


@pytest.fixture
def one_of_each(site: Site) -> dict[str, int]:
    """A job in each status, of two tasks."""
    gate = site.gate()

    def handler(job_id: int, word: str = "") -> Any:
        if word == "fail":
            raise ValueError("row 17: no date")
        if word == "hold":
            gate(job_id)
        return word

    retries = site.task("rates", handler, attempts=1, attempt_after=600_000)
    pool = site.task("mail", handler, worker_nums=1)
    retries = type(retries)("rates")
    jobs = {"succeeded": added(pool, "work"), "failed": added(pool, "fail")}
    for job_id in jobs.values():
        pool.wait(job_id, 5)
    jobs["retrying"] = added(retries, "fail")
    until(lambda: retries.metrics()["retried"])
    jobs["running"] = added(pool, "hold")
    gate.entered()
    jobs["waiting"] = added(pool, "wait")
    jobs["cancelled"] = added(pool, "wait")
    pool.cancel(jobs["cancelled"])
    jobs["delayed"] = pool.using(on_commit=False, run_after=600).add("later")
    return jobs


def test_each_status_has_its_tab_with_its_count(one_of_each: dict[str, int]) -> None:
    client = viewer()
    text = read(client, JOBS)

    assert tabs(text) == {
        "All": 7,
        "Running": 1,
        "Waiting": 1,
        "Retrying": 1,
        "Delayed": 1,
        "Succeeded": 1,
        "Failed": 2,
    }
    assert ids_of(text) == sorted(one_of_each.values(), reverse=True)
    for status in ("running", "waiting", "retrying", "delayed", "succeeded"):
        assert ids(client, status=status) == [one_of_each[status]]
    assert ids(client, status="failed") == [one_of_each["cancelled"], one_of_each["failed"]]
    assert tabs(read(client, JOBS, task="rates"))["All"] == 1


def test_the_columns_say_what_is_known(one_of_each: dict[str, int]) -> None:
    text = words(read(viewer(), JOBS, order="added_at"))

    time = r"(under 1 s|\d+ s|< 1 ms|&lt; 1 ms|\d+ ms)"
    # Of today: without its date.
    moment = r"\d\d:\d\d:\d\d"
    assert re.search(
        rf"{one_of_each['succeeded']} mail Succeeded 1/1 {moment} {time} {time} {moment} 1 ", text
    )
    assert re.search(rf"{one_of_each['failed']} mail Failed ValueError: row 17: no date 1/1 {moment}", text)
    assert re.search(rf"{one_of_each['waiting']} mail Waiting {moment} {time} ", text)
    assert re.search(rf"{one_of_each['delayed']} mail Delayed {moment} {moment} ", text)
    assert re.search(rf"{one_of_each['retrying']} rates Retrying 1/2 {moment} {time} {moment}", text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"task": "rates"}, ["retrying"]),
        ({"task": "nobody"}, []),
        ({"kind": "cancelled"}, ["cancelled"]),
        ({"kind": "raised"}, ["failed"]),
        ({"kind": "raised", "status": "running"}, ["failed"]),
        ({"q": "error:NO DATE"}, ["failed"]),
        ({"q": "no date"}, ["failed"]),
        ({"q": "error:queue"}, []),
        ({"since": "2099-01-01"}, []),
        ({"until": "2020-01-01"}, []),
        ({"order": "-ended_at", "status": "failed"}, ["cancelled", "failed"]),
        ({"order": "ended_at", "status": "failed"}, ["failed", "cancelled"]),
        ({"order": "added_at", "task": "mail", "status": "failed"}, ["failed", "cancelled"]),
    ],
)
def test_a_filter_finds_what_fits(
    query: dict[str, str], found: list[str], one_of_each: dict[str, int]
) -> None:
    assert ids(viewer(), **query) == [one_of_each[name] for name in found]


def test_a_day_counts_whole(one_of_each: dict[str, int]) -> None:
    today = timezone.localdate()

    assert len(ids(viewer(), since=today.isoformat(), until=today.isoformat())) == 7
    assert ids(viewer(), until=(today - timedelta(days=1)).isoformat()) == []


@pytest.mark.parametrize("text", ["id:{}", "{}"])
def test_an_id_leads_to_its_job(text: str, one_of_each: dict[str, int]) -> None:
    assert ids(viewer(), q=text.format(one_of_each["retrying"])) == [one_of_each["retrying"]]
    assert ids(viewer(), q="id:12") == ids(viewer(), q="id:x") == ids(viewer(), q="9" * 15) == []


def test_arguments_are_searched_for_those_who_may_see_them_and_secrets_for_nobody(site: Site) -> None:
    """S2: a search that finds what a page hides would tell of it, letter by letter."""
    pool = site.task("mail", lambda job_id, *args, **kwargs: None)
    pool.pause()
    job_id = added(pool, "ada@example.org", password=SECRET)

    assert ids(auditor(), q="ADA@example") == ids(auditor(), q="args:ada") == [job_id]
    assert ids(viewer(), q="ada@example") == ids(viewer(), q="args:ada") == []
    assert ids(auditor(), q="hunter2") == ids(auditor(), q="args:hunter2") == []


def test_a_text_is_looked_for_among_the_newest_and_then_further_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "ROUND", 100)
    monkeypatch.setattr(finding, "SLICE", 100)
    pool = site.task("mail", lambda job_id, word: None, size=500)
    pool.pause()
    old = added(pool, "needle")
    for _ in range(150):
        added(pool, "hay")
    client = auditor()

    text = read(client, JOBS, q="needle")

    assert ids_of(text) == []
    assert "None of the newest jobs fits." in text
    (further,) = re.findall(r'<a href="(\?[^"]*back=1[^"]*)">Search further back', text)
    assert ids_of(read(client, JOBS + further.replace("&amp;", "&"))) == [old]


def fill(site: Site, count: int, *names: str) -> dict[str, list[int]]:
    """Jobs that wait, in each of these pools, one after the other."""
    pools = [site.task(name, lambda job_id: None, size=count) for name in names]
    for pool in pools:
        pool.pause()
    found: dict[str, list[int]] = {name: [] for name in names}
    for _ in range(count):
        for pool in pools:
            found[pool.id].append(added(pool))
    return found


@pytest.mark.parametrize("names", [("mail",), ("mail", "rates")])
def test_each_job_is_on_one_page(names: tuple[str, ...], site: Site) -> None:
    jobs = fill(site, 120 // len(names), *names)
    client = viewer()

    pages = [read(client, JOBS, page=number) for number in (1, 2, 3)]

    everything = [job_id for text in pages for job_id in ids_of(text)]
    assert everything == sorted((job_id for those in jobs.values() for job_id in those), reverse=True)
    assert [len(ids_of(text)) for text in pages] == [50, 50, 20]
    assert "51 to 100 of 120" in pages[1]
    assert [re.findall(r'rel="(next|prev)"', text) for text in pages] == [
        ["next"],
        ["prev", "next"],
        ["prev"],
    ]


def test_a_page_beyond_the_last_shows_the_first(site: Site) -> None:
    jobs = fill(site, 3, "mail")

    assert ids(viewer(), page=99) == jobs["mail"][::-1]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "__class__"},
        {"kind": "x"},
        {"order": "__class__"},
        {"order": "-message"},
        {"since": "yesterday"},
        {"until": "2026-13-01"},
        {"since": "9999-12-31T99"},
        {"since": "x" * 10_000},
        {"until": "9999-12-31"},
        {"status": PAYLOAD},
    ],
)
def test_what_there_is_not_is_answered_400_with_a_sentence(query: dict[str, str], site: Site) -> None:
    """S15: not clamped into something else, and never a traceback."""
    site.task("mail", lambda job_id: None)
    client = viewer()

    whole, fragment = client.get(JOBS, query), client.get(f"{JOBS}fragment/", query)

    assert (whole.status_code, fragment.status_code) == (400, 400)
    text = whole.content.decode()
    assert "There are:" in text or "is no date" in text
    assert "<script>alert" not in text
    assert len(text) < 50_000


@pytest.mark.parametrize(
    "query",
    [
        {"page": "-1"},
        {"page": "9" * 50},
        {"page": "x"},
        {"back": "-3"},
        {"limit": str(10**9)},
        {"refresh": "0.0001"},
        {"q": "x" * 10_000},
        {"q": "\x00"},
        {"task": PAYLOAD},
        {"unknown": "1"},
    ],
)
def test_numbers_and_texts_are_brought_into_their_range(query: dict[str, str], site: Site) -> None:
    """S15."""
    fill(site, 3, "mail")

    answer = viewer().get(JOBS, query)

    assert answer.status_code == 200
    assert "<script>alert" not in answer.content.decode()


def test_a_filter_is_written_as_it_is_read() -> None:
    wanted = Filter(task="mail", status="failed", q="a&b=c", page=3)

    query = wanted.query()

    assert query == "?task=mail&status=failed&q=a%26b%3Dc&page=3"
    assert Filter().query() == "?"
    from django.http import QueryDict

    assert read_filter(QueryDict(query[1:])) == wanted


def test_no_more_is_drawn_nor_asked_however_many_there_are(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15: as many queries and pictures for 3,000 jobs as for 100."""
    from yao_tasks.core import jobs as core_jobs
    from yao_tasks.engines import looking

    drawn: list[int] = []

    def draw(job: core_jobs.Job, *rest: Any) -> core_jobs.JobInfo:
        drawn.append(job.id)
        return core_jobs.draw(job, *rest)

    monkeypatch.setattr(looking, "draw", draw)
    client = viewer()
    counts = []
    for count in (100, 3_000):
        fill(site, count, "mail")
        drawn.clear()
        read(client, JOBS)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            text = read(client, JOBS)
        counts.append((len(drawn), len(queries)))

        assert len(text) < 200_000

    assert counts[0] == counts[1]
    assert counts[0][1] <= 10


def test_script_in_every_field_is_text(site: Site) -> None:
    """S1."""

    def handler(job_id: int, word: str) -> None:
        current_job().progress(1, 2, PAYLOAD)  # type: ignore[union-attr]
        if word == "fail":
            raise ValueError(PAYLOAD)

    pool = site.task("mail", handler, name=PAYLOAD)
    for word in ("fail", "work"):
        pool.wait(added(pool, word), 5)
    client = operator()

    for text in (
        read(client, JOBS),
        read(client, f"{JOBS}fragment/"),
        read(client, JOBS, q=PAYLOAD),
        read(client, JOBS, task=PAYLOAD, q=PAYLOAD),
    ):
        assert "<img" not in text
        assert "<script>alert" not in text
    assert escape(PAYLOAD) in read(client, JOBS, q=PAYLOAD)


def test_empty_lists_say_what_to_do(site: Site) -> None:
    site.task("mail", lambda job_id: None)

    assert 'They appear as soon as tasks["…"].add(…) is called' in words(read(viewer(), JOBS))
    assert "No job fits." in read(viewer(), JOBS, status="failed")
    assert "There is no task nobody" in words(read(viewer(), JOBS, task="nobody"))


def test_what_has_not_changed_is_304(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.wait(added(pool), 5)
    client = viewer()
    etag = client.get(f"{JOBS}fragment/")["ETag"]

    assert client.get(f"{JOBS}fragment/", headers={"if-none-match": etag}).status_code == 304


# Export


def content(client: Client, **query: str) -> str:
    answer = client.get(f"{JOBS}export/", query)
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    return answer.getvalue().decode()


@pytest.mark.parametrize("who", [viewer, auditor])
def test_jobs_are_exported_as_csv_and_json(who: Callable[[], Client], site: Site) -> None:
    """S2: arguments only for those who may see them, and no secret for anybody."""

    def handler(job_id: int, word: str, **rest: Any) -> Any:
        if word == "fail":
            raise ValueError(f"=1+1 {rest['password']}")
        return {"said": word}

    pool = site.task("mail", handler)
    good, bad = added(pool, "work", password=SECRET), added(pool, "fail", password=SECRET)
    pool.wait(good, 5)
    pool.wait(bad, 5)
    client = who()

    table = list(csv.DictReader(io.StringIO(content(client, order="added_at"))))
    rows = json.loads(content(client, format="json", order="added_at"))

    assert [int(row["id"]) for row in table] == [row["id"] for row in rows] == [good, bad]
    assert [row["status"] for row in table] == ["SUCCESS", "FAILURE"]
    # A spreadsheet would take it for a formula.
    assert table[1]["error_message"] == "'=1+1 ••••••"
    assert rows[1]["error_message"] == "=1+1 ••••••"
    if who is auditor:
        assert rows[0]["arguments"] == {"word": "'work'", "password": "••••••"}
        assert table[0]["result"] == rows[0]["result"] == "{'said': 'work'}"
    else:
        assert {"arguments", "result"} & {*rows[0], *table[0]} == set()


def test_an_export_follows_the_filter(one_of_each: dict[str, int]) -> None:
    client = viewer()

    rows = json.loads(content(client, format="json", status="failed"))

    assert {row["id"] for row in rows} == {one_of_each["failed"], one_of_each["cancelled"]}
    assert json.loads(content(client, format="json", task="nobody")) == []
    assert client.get(f"{JOBS}export/", {"format": "xls"}).status_code == 400
    assert client.get(f"{JOBS}export/", {"order": "x"}).status_code == 400
    assert client.post(f"{JOBS}export/").status_code == 405
