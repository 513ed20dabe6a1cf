"""Records of jobs are deleted: after a question, only of those that have ended, and never by chance."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client

from tests.conftest import Site, until
from tests.django.dashboard import job_page, logged, operator, read, viewer
from tests.django.test_dashboard_bulk import asked, key, said
from tests.django.test_dashboard_page import words
from tests.journal.conftest import forget, written
from tests.million import long_history
from yao_tasks import boot
from yao_tasks.dashboard import finding
from yao_tasks.models import JobRecord
from yao_tasks.pools import Pool, tasks

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = "/admin/yao_tasks/dashboard/jobs/"


@pytest.fixture
def pool(site: Site) -> Iterator[Pool]:
    """A recorded task, and one that isn't."""
    site.task("plain", lambda job_id: None)
    yield site.task("mail", lambda job_id: None, record=True, worker_nums=1)
    boot.reset()


def done(pool: Pool, count: int = 1) -> list[int]:
    """The ids of jobs that have ended and been written."""
    ids = [pool.add() for _ in range(count)]
    for job_id in ids:
        pool.wait(job_id, 5)
    until(lambda: pool.metrics()["kept"]["succeeded"] >= count)
    written()
    return ids


def ids_in(client: Client, **query: str) -> list[int]:
    return [int(one) for one in re.findall(r'yt-id">(\d+)<', read(client, JOBS, **query))]


@pytest.mark.parametrize("remembered", [True, False])
def test_chosen_records_are_deleted_after_a_question(remembered: bool, pool: Pool) -> None:
    first, second, third = done(pool, 3)
    if not remembered:
        forget()
    client = operator()
    chosen = [key(pool, first), key(pool, third)]

    text = asked(client, "delete", job=chosen)
    assert JobRecord.objects.count() == 3
    sentences = said(client, "delete", job=chosen)

    assert "This is for 2 jobs." in text
    assert "This can&#x27;t be undone." in text or "This can't be undone." in text
    assert sentences == ["Deleted 2 records."]
    assert list(JobRecord.objects.values_list("job_id", flat=True)) == [second]
    # Memory has forgotten them, too.
    assert ids_in(client, task="mail") == [second]
    assert logged() == [f"Deleted the records of 2 jobs of mail: {first}, {third}."]


def test_what_lives_or_is_not_recorded_is_left_alone(pool: Pool) -> None:
    (ended,) = done(pool)
    pool.pause()
    waiting = pool.add()
    plain = tasks["plain"]
    other = plain.add()
    plain.wait(other, 5)
    written()
    chosen = [key(pool, ended), key(pool, waiting), key(plain, other)]

    text = asked(operator(), "delete", job=chosen)
    sentences = said(operator(), "delete", job=chosen)

    assert "This is for 1 job." in text
    assert "2 other jobs are left alone" in text
    assert sentences == ["Deleted 1 record. 1 skipped: it lives. 1 skipped: it is not recorded."]
    assert pool.get(waiting).status == "WAITING"
    assert plain.get(other).status == "SUCCESS"


def test_all_that_match_are_deleted_in_slices(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST", 400)
    long_history("default", "mail", 500)
    client = operator()

    text = asked(client, "delete", all="1", filter="?task=mail&status=succeeded")
    first = said(client, "delete", all="1", filter="?task=mail&status=succeeded")
    second = said(client, "delete", all="1", filter="?task=mail&status=succeeded")

    assert "More jobs match than are done at once" in text
    assert first == ["Deleted 400 records."]
    assert second == ["Deleted 75 records."]
    assert JobRecord.objects.count() == 25


def test_one_that_is_tried_again_meanwhile_is_left_alone(site: Site) -> None:
    gate = site.gate()
    runs: list[int] = []

    def handler(job_id: int) -> None:
        runs.append(job_id)
        if len(runs) == 1:
            raise ValueError("once")
        gate(job_id)

    pool = site.task("mail", handler, record=True)
    job_id = pool.add()
    pool.wait(job_id, 5)
    until(lambda: pool.metrics()["kept"]["raised"])
    written()
    engine = boot.engine("mail")
    pool.retry(job_id)
    gate.entered()
    written()

    assert engine.remove([job_id]) == set()  # type: ignore[attr-defined]
    assert JobRecord.objects.get().job_id == job_id
    boot.reset()


def test_the_button_is_there_for_those_who_may_where_it_does_something(pool: Pool) -> None:
    (job_id,) = done(pool)
    tasks["plain"].wait(tasks["plain"].add(), 5)
    button = "Delete record…"

    assert button in read(operator(), JOBS)
    assert button in job_page(operator(), pool, job_id)
    assert button not in read(operator(), JOBS, task="plain")
    assert button not in read(viewer(), JOBS) + job_page(viewer(), pool, job_id)


def test_a_record_is_deleted_from_the_jobs_page(pool: Pool) -> None:
    (job_id,) = done(pool)
    client = operator()
    here = f"/admin/yao_tasks/dashboard/mail/{job_id}/"

    text = words(client.post(f"{JOBS}all/delete/", {"job": key(pool, job_id), "next": here}).content.decode())
    answer = client.post(
        f"{JOBS}all/delete/", {"job": key(pool, job_id), "next": here, "confirmed": "1"}, follow=True
    )

    assert "This is for 1 job." in text
    assert answer.status_code == 404
    assert "Deleted 1 record." in words(answer.content.decode())
