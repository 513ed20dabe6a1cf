"""Cancelling all that waits, after a page that says how much that is."""

import re

import pytest
from django.urls import reverse

from tests.conftest import Site
from tests.django.dashboard import OVERVIEW, added, logged, operator, page, said_after, steer_url

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("data", "cancelled"), [({}, 3), ({"delayed": "on"}, 5)], ids=["ready", "delayed ones too"]
)
def test_a_purge_says_first_how_many_and_then_how_many_were_cancelled(
    data: dict[str, str], cancelled: int, site: Site
) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1, name="Welcome mail")
    running = added(pool)
    gate.entered()
    for _ in range(3):
        added(pool)
    for _ in range(2):
        pool.using(on_commit=False, run_after=600).add()
    client = operator()
    confirm = client.get(steer_url("purge", "mail"), {"page": "2"}).content.decode()

    said = said_after(client, steer_url("purge", "mail"), **data)

    assert "Purge Welcome mail" in confirm
    assert "3 jobs of <code>mail</code> wait for a worker." in re.sub(r"\s+", " ", confirm)
    assert "2 jobs that are delayed or between two runs, too" in confirm
    assert f'href="{reverse(OVERVIEW)}?page=2"' in confirm
    assert 'name="next" value="/admin/yao_tasks/dashboard/?page=2"' in confirm
    assert said == [f"Purged mail: {cancelled} jobs cancelled."]
    assert logged() == [f"Purged mail: {cancelled} jobs cancelled{', delayed ones too' if data else ''}."]
    assert pool.metrics()["waiting"] == 5 - cancelled
    assert pool.get(running).status == "RUNNING"


def test_a_look_at_the_confirm_page_cancels_nothing(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.using(on_commit=False, run_after=600).add()

    operator().get(steer_url("purge", "mail"), {"delayed": "on"})

    assert pool.metrics()["delayed"] == 1


def test_where_nothing_waits_there_is_nothing_to_purge(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    client = operator()

    assert steer_url("purge", "mail") not in page(client)
    assert "Nothing waits in <code>mail</code>." in client.get(steer_url("purge", "mail")).content.decode()
    assert said_after(client, steer_url("purge", "mail")) == ["Nothing waited in mail any more."]
    assert logged() == []
