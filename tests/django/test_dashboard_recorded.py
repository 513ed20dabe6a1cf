"""Jobs that are recorded stand in the same lists and on the same pages as those in memory."""

import re
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conftest import Site, until
from tests.django.dashboard import (
    client_of,
    job_page,
    operator,
    page,
    read,
    said_after,
    steer_url,
    user,
    viewer,
)
from tests.django.test_dashboard_page import words
from tests.journal.conftest import forget, written
from tests.million import long_history
from yao_tasks import boot, current_job
from yao_tasks.core.diary import diary
from yao_tasks.core.ids import BLOCK
from yao_tasks.dashboard import counts, durations, keeping
from yao_tasks.models import JobOwner, JobRecord, JobStatus
from yao_tasks.pools import Pool

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/admin/yao_tasks/dashboard/"
JOBS = f"{URL}jobs/"


@pytest.fixture
def pool(site: Site) -> Iterator[Pool]:
    """A task whose jobs are recorded; they fail the first time."""
    runs: list[int] = []

    def handler(job_id: int, password: str) -> str:
        runs.append(job_id)
        if runs.count(job_id) == 1:
            raise ValueError(f"refused: {password}")
        return "done"

    yield site.task("mail", handler, record=True)
    boot.reset()


def failed(pool: Pool) -> int:
    """The id of a job that failed, of which memory knows nothing any more."""
    job_id = pool.add("hunter2-9f3")
    pool.wait(job_id, 5)
    until(lambda: pool.metrics()["kept"]["raised"])
    written()
    forget()
    return job_id


def test_what_memory_has_forgotten_is_listed_and_has_its_page(pool: Pool) -> None:
    job_id = failed(pool)
    auditor = client_of(user("auditor", "view_jobs", "view_job_args", is_staff=True))

    listed, shown = read(viewer(), JOBS, status="failed"), job_page(auditor, pool, job_id)

    assert re.findall(r'yt-id">(\d+)<', listed) == [str(job_id)]
    assert '<span class="yt-count">1</span>' in listed
    assert "Recorded jobs were counted in the last 5 s." in words(listed)
    assert "1 to 1 " in words(listed)
    assert "Failed" in shown
    # S2: a name calls it secret, in a row as in memory.
    assert "hunter2" not in listed + shown
    assert "recorded" in words(page(viewer())).partition("Pools")[2]


@pytest.mark.parametrize(("others", "told"), [([], True), ([4711], False)])
def test_what_an_hour_had_is_told_where_no_other_process_knows_of_more(
    others: list[int], told: bool, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(pool)
    monkeypatch.setattr(boot, "processes", lambda: others)

    assert ("1 in the last hour" in words(page(viewer())).partition("Pools")[0]) is told


def test_it_is_tried_again_from_its_page(pool: Pool) -> None:
    job_id = failed(pool)

    assert said_after(operator(), steer_url("retry", "mail", job_id)) == [f"Retried job {job_id} of mail."]
    assert pool.wait(job_id, 5).response == "done"


def test_what_another_process_runs_is_shown_and_refused_with_a_sentence(pool: Pool) -> None:
    job_id = failed(pool)
    theirs = job_id + 7 * BLOCK
    owner = JobOwner.objects.create(
        machine="other", boot="1", pid_space="1", pid=4711, born="1", host="vm", started_at=timezone.now()
    )
    JobRecord.objects.filter(job_id=job_id).update(
        job_id=theirs, status=JobStatus.RUNNING, owner=owner, error="", kind=""
    )
    client = operator()

    shown = words(job_page(client, pool, theirs))
    one = said_after(client, steer_url("cancel", "mail", theirs))
    many = client.post(
        "/admin/yao_tasks/dashboard/jobs/all/cancel/",
        {"job": f"mail/{theirs}", "confirmed": "1"},
        follow=True,
    )

    assert "Running" in shown
    assert len(one) == 1
    assert "lives in the memory of process" in one[0]
    assert "1 skipped: lives in another process." in words(many.content.decode())


def test_earlier_runs_are_shown_after_memory_has_forgotten_them(site: Site) -> None:
    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        if job.attempt < 3:
            raise ValueError(f"refused for the {job.attempt}. time")
        return "done"

    pool = site.task("mail", handler, record=True, attempts=3)
    job_id = pool.add()
    pool.wait(job_id, 5)
    until(lambda: pool.metrics()["kept"]["succeeded"])
    written()
    forget()
    diary.clear()

    text = job_page(operator(), pool, job_id)

    for number in (1, 2):
        assert f"refused for the {number}. time" in text
        assert f"Run {number} started" in words(text)
    assert "in handler" in text
    # What was changed by hand is left out.
    for broken in ("[1, null]", '[{"attempt": "x"}]', '[{"attempt": 1, "started": "x", "ended": null}]', "{"):
        JobRecord.objects.update(runs=broken)
        assert "Succeeded" in job_page(operator(), pool, job_id)
    boot.reset()


def test_where_the_database_is_away_a_page_says_so(pool: Pool, settings: Any) -> None:
    job_id = failed(pool)
    client = operator()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE yao_tasks_jobrecord RENAME TO gone")
    try:
        answers = [client.get(url) for url in (JOBS, f"{JOBS}fragment/", f"{URL}mail/{job_id}/")]
        overview = client.get(URL)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO yao_tasks_jobrecord")

    assert [answer.status_code for answer in answers] == [503] * 3
    assert all("Recorded jobs can" in answer.content.decode() for answer in answers)
    assert overview.status_code == 503


@pytest.mark.slow
def test_no_more_is_asked_however_many_rows_there_are(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """S15: as many queries for 2,000 rows as for 100, ten at most, whatever an address asks for."""
    # What is counted now and then is counted by the first.
    monkeypatch.setattr(counts, "LIVE_SECONDS", 600.0)
    monkeypatch.setattr(counts, "ENDED_SECONDS", 600.0)
    client = operator()
    queries = [
        {},
        {"status": "failed"},
        {"kind": "timeout"},
        {"order": "-ended_at"},
        {"page": "-1", "limit": str(10**9), "refresh": "0.0001"},
        {"page": str(10**9)},
        {"task": "mail", "since": "2020-01-01", "page": "39"},
        {"q": "needle", "back": str(10**9)},
    ]
    numbers = []
    for count in (100, 2_000):
        long_history("default", "mail", count, first_id=10_000 * count)
        for query in queries:
            read(client, JOBS, **query)
            with CaptureQueriesContext(connection) as asked:
                text = read(client, JOBS, **query)
            assert len(text) < 200_000
            numbers.append(len(asked))

    few, many = numbers[: len(queries)], numbers[len(queries) :]
    assert max(many) <= 10
    # A text is looked for as long as there is time.
    assert few[:5] == many[:5]


@pytest.mark.slow
def test_a_long_queue_makes_an_idle_page_no_dearer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refreshed while nothing happens: 304, at the price of a short queue."""
    # They have waited for a while, and it doesn't become a minute more meanwhile.
    monkeypatch.setattr(durations, "STEPS", ((0.0, 3_600.0),))
    client, costs = operator(), []
    pool = site.task("mail", lambda job_id, number: None, record=True, size=100_000)
    pool.pause()
    for count in (300, 50_000):
        pool.using(on_commit=False).add_many([(number,) for number in range(count)])
        assert boot.house().home.journal.flush(60)
        keeping.forget()
        url = f"{URL}fragment/"
        etag, spent = client.get(url)["ETag"], []
        for _ in range(15):
            began = time.process_time()
            answer = client.get(url, headers={"If-None-Match": etag})
            spent.append(time.process_time() - began)
            assert answer.status_code == 304
        costs.append(statistics.median(spent))

    print(f"{costs[0] * 1e3:.1f} ms, with a long queue {costs[1] * 1e3:.1f} ms")
    assert costs[1] < 1.5 * costs[0]


def test_pages_lead_on_where_they_end(pool: Pool) -> None:
    long_history("default", "mail", 2_200)
    client, seen, url = viewer(), [], f"{JOBS}?task=mail&page=40"

    first = read(client, url)
    further = re.search(r'href="([^"]*until=[^"]*)">Go on from here', first)
    assert further is not None
    seen = re.findall(r'yt-id">(\d+)<', first)
    beyond = re.findall(r'yt-id">(\d+)<', read(client, JOBS + further[1].replace("&amp;", "&")))

    assert len(seen) == 50
    # The last one again, whose moment others might share, and those before it.
    assert beyond[0] == seen[-1]
    assert int(beyond[1]) == int(seen[-1]) - 1
