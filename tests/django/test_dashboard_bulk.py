"""One thing done to many jobs."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.conftest import Site, until
from tests.django.dashboard import added, client_of, logged, operator, user, viewer
from tests.django.test_dashboard_page import words
from yao_tasks.dashboard import bulk as bulk_module
from yao_tasks.dashboard import finding
from yao_tasks.pools import Pool

pytestmark = pytest.mark.django_db

JOBS = "/admin/yao_tasks/dashboard/jobs/"


def url(verb: str) -> str:
    return reverse("admin:yao_tasks_dashboard_bulk", args=[verb])


def key(pool: Pool, job_id: int) -> str:
    return f"{pool.id}/{job_id}"


def asked(client: Client, verb: str, **data: Any) -> str:
    """The page that asks before it is done, in words."""
    answer = client.post(url(verb), {"next": JOBS, **data})
    assert answer.status_code == 200
    return words(answer.content.decode())


def said(client: Client, verb: str, **data: Any) -> list[str]:
    """What the list says after it was confirmed."""
    answer = client.post(url(verb), {"next": JOBS, "confirmed": "1", **data}, follow=True)
    assert answer.redirect_chain == [(JOBS, 302)]
    return [str(message) for message in answer.context["messages"]]


@pytest.fixture
def failing(site: Site) -> Pool:
    """A pool whose jobs fail, three of them already."""

    def handler(job_id: int) -> None:
        raise ValueError("row 17")

    pool = site.task("mail", handler, size=500)
    for _ in range(3):
        pool.wait(added(pool), 5)
    until(lambda: pool.metrics()["kept"]["raised"] == 3)
    return pool


def test_nothing_is_done_before_it_is_confirmed(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.pause()
    ids = [added(pool) for _ in range(3)]
    client = operator()

    text = asked(client, "cancel", job=[key(pool, one) for one in ids[:2]])

    assert "This is for 2 jobs." in text
    assert "mail : 2" in text
    assert pool.metrics()["waiting"] == 3
    assert said(client, "cancel", job=[key(pool, one) for one in ids[:2]]) == ["Cancelled 2 jobs."]
    assert list(pool.jobs) == ids[2:]
    assert logged() == [f"Cancelled 2 jobs of mail: {ids[0]}, {ids[1]}."]


def test_all_that_match_are_meant_and_looked_at_again(site: Site) -> None:
    pool, other = site.task("mail", lambda job_id: None), site.task("rates", lambda job_id: None)
    pool, other = Pool("mail"), Pool("rates")
    for one in (pool, other):
        one.pause()
    for _ in range(3):
        added(pool)
        added(other)
    client = operator()
    match = {"all": "1", "filter": "?task=mail&status=waiting"}
    assert "This is for 3 jobs. Those that match the filter when you confirm" in asked(
        client, "cancel", **match
    )
    added(pool)

    sentences = said(client, "cancel", **match)

    assert sentences == ["Cancelled 4 jobs."]
    assert (len(pool.jobs), len(other.jobs)) == (0, 3)


def test_what_was_skipped_is_said_with_the_reason(site: Site, failing: Pool) -> None:
    ended = added(failing)
    failing.wait(ended, 5)
    failing.pause()
    waiting = added(failing)
    client = operator()

    cancelled = said(
        client, "cancel", job=[key(failing, ended), key(failing, waiting), "mail/12", "x/1", "?"]
    )
    retried = said(client, "retry", job=[key(failing, ended), key(failing, ended)])

    assert cancelled == ["Cancelled 1 job. 1 skipped: had ended already."]
    assert retried == ["Retried 1 job."]


def test_a_full_queue_is_said(site: Site, failing: Pool) -> None:
    pool = site.task("mail", lambda job_id: 1 / 0, size=2)
    for _ in range(3):
        pool.wait(added(pool), 5)
    until(lambda: pool.metrics()["kept"]["raised"] == 3)
    pool.pause()

    sentences = said(operator(), "retry", all="1", filter="?status=failed")

    assert sentences == ["Retried 2 jobs. 1 skipped: The queue is full: try again later."]


def test_those_it_is_not_for_are_counted_apart(site: Site, failing: Pool) -> None:
    failing.pause()
    added(failing)

    text = asked(operator(), "retry", all="1", filter="?")

    assert "This is for 3 jobs." in text
    assert "1 other job is left alone" in text


def test_more_than_are_done_at_once_are_said(
    site: Site, failing: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "MOST", 2)
    client = operator()

    text = asked(client, "retry", all="1", filter="?status=failed")

    assert "This is for 2 jobs." in text
    assert "More jobs match than are done at once" in text


def test_retries_can_be_paced(site: Site, failing: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_module, "RATES", (0, 50))
    client = operator()
    assert "50 a second" in asked(client, "retry", all="1", filter="?status=failed")

    sentences = said(client, "retry", all="1", filter="?status=failed", rate="50")

    assert sentences == ["3 jobs, 50 a second, from now on in the background of this process."]
    until(lambda: failing.metrics()["started"] == 6)
    assert logged()[0].startswith("Retried at 50 a second 3 jobs of mail: ")


@pytest.mark.slow
def test_a_paced_retry_waits_for_a_full_queue_and_ends_with_the_pools(site: Site) -> None:
    pool = site.task("mail", lambda job_id: 1 / 0, size=1)
    for _ in range(3):
        pool.wait(added(pool), 5)
    until(lambda: pool.metrics()["kept"]["raised"] == 3)
    pool.pause()

    said(operator(), "retry", all="1", filter="?status=failed", rate="10")
    until(lambda: pool.metrics()["refused"] >= 1)
    held_back = pool.metrics()["waiting"]
    pool.resume()

    assert held_back == 1
    until(lambda: pool.metrics()["started"] == 6)
    # That no thread is left is looked at after each test.


def test_duplicates_are_new_jobs(site: Site) -> None:
    pool = site.task("mail", lambda job_id, word: word)
    job_id = added(pool, "hello")
    pool.wait(job_id, 5)

    sentences = said(operator(), "duplicate", job=[key(pool, job_id)])

    assert sentences == ["Duplicated 1 job."]
    until(lambda: pool.metrics()["succeeded"] == 2)
    assert [info.response for info in pool.search()] == ["hello", "hello"]


def test_without_a_choice_nothing_is_asked(site: Site) -> None:
    site.task("mail", lambda job_id: None)

    assert "There is no job to do this to" in asked(operator(), "cancel")


@pytest.mark.parametrize("verb", ["cancel", "retry", "duplicate"])
def test_only_operators_may(verb: str, site: Site, failing: Pool) -> None:
    """S6, S5: a crafted POST by one who may only look, and one without a form's token."""
    data = {"all": "1", "filter": "?", "confirmed": "1"}
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(user("operator", "view_jobs", "operate_jobs", is_staff=True))

    assert viewer().post(url(verb), data).status_code == 403
    assert client_of(None).post(url(verb), data).status_code == 302
    assert careful.post(url(verb), data).status_code == 403
    assert operator().get(url(verb)).status_code == 405
    assert failing.metrics()["added"] == failing.metrics()["started"] == 3
    assert logged() == []


def test_a_verb_that_there_is_not_and_a_filter_that_is_wrong(site: Site) -> None:
    client = operator()

    assert client.post(url("melt"), {}).status_code == 404
    assert client.post(url("cancel"), {"all": "1", "filter": "?order=x"}).status_code == 400


def test_the_boxes_and_buttons_are_drawn_for_operators(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    job_id = added(pool)

    for client, drawn in ((operator(), True), (viewer(), False)):
        text = client.get(JOBS).content.decode()
        assert (f'name="job" value="mail/{job_id}"' in text) is drawn
        assert (url("cancel") in text) is drawn
    assert re.search(r"all 1\s+that match|all 1 that match", operator().get(JOBS).content.decode())
