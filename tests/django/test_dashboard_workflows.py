"""The pages about chains, groups and batches."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from tests.conftest import SECONDS, Site
from tests.django.dashboard import client_of, user
from yao_tasks.workflows import PREVIOUS, Batch, chain, group

# Workflows start with the commit.
pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/yao_tasks/dashboard/workflows/"


@pytest.fixture
def viewer() -> Client:
    return client_of(user("viewer", "view_jobs", is_staff=True))


@pytest.fixture
def operator() -> Client:
    return client_of(user("operator", "view_jobs", "operate_jobs", is_staff=True))


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_without_any_a_sentence_says_how_there_would_be_some(site: Site, viewer: Client) -> None:
    assert "There are none: chain(), group() and Batch() start them." in text_of(viewer, URL)


def test_each_kind_is_listed_with_how_far_it_is(site: Site, viewer: Client) -> None:
    gate = site.gate()
    slow = site.task("slow", gate)
    quick = site.task("quick", lambda job_id, number: 1 // number)
    running = chain(slow.call(), quick.call(1))
    batch = Batch(quick, [(0,), (1,), (2,)])
    batch.wait(SECONDS)
    gate.entered()

    page = text_of(viewer, URL)

    assert f"Batch <code>{batch.id}</code>" in page
    assert f"Chain <code>{running.id}</code>" in page
    assert page.index(str(batch.id)) < page.index(str(running.id))
    assert "3 of 3" in page
    assert "0 of 2" in page
    gate.open()


def test_a_chain_is_a_line_of_boxes(site: Site, viewer: Client) -> None:
    first = site.task("first", lambda job_id: 1)
    second = site.task("second", lambda job_id: 1 // 0)
    flow = chain(first.call(), second.call(), first.call())
    done = flow.wait(SECONDS)

    page = text_of(viewer, f"{URL}{flow.id}/")

    assert f'href="/admin/yao_tasks/dashboard/first/{done.steps[0].job_id}/"' in page
    assert page.count('class="yt-box yt-box-') == 3
    assert page.index("yt-box-succeeded") < page.index("yt-box-fault") < page.index("yt-box-waiting")
    assert "Not added" in page
    assert "<code>ZeroDivisionError</code>" in page
    assert "Cancel all of it" not in page


def test_a_groups_callback_stands_after_its_members_and_results_are_for_those_who_may(
    site: Site, viewer: Client
) -> None:
    double = site.task("double", lambda job_id, number: 2 * number)
    total = site.task("total", lambda job_id, numbers: {"the sum": sum(numbers)})
    flow = group(*(double.call(number) for number in range(3)), callback=total.call(PREVIOUS))
    flow.wait(SECONDS)

    page = text_of(viewer, f"{URL}{flow.id}/")
    auditor = client_of(user("auditor", "view_jobs", "view_job_args", is_staff=True))

    assert page.count('class="yt-box yt-box-succeeded"') == 4
    assert page.index("<h2>Then</h2>") > page.rindex("double")
    assert "the sum" not in page
    assert "the sum" in text_of(auditor, f"{URL}{flow.id}/")


def test_of_very_many_members_some_are_shown(site: Site, viewer: Client) -> None:
    nothing = site.task("nothing", lambda job_id: None, size=1_000)
    flow = group(*(nothing.call() for _ in range(500)))
    flow.wait(SECONDS)

    page = text_of(viewer, f"{URL}{flow.id}/")

    assert page.count('class="yt-box yt-box-') == 200
    assert "and 300 more" in page
    assert len(page) < 200_000


def test_an_operator_cancels_it_and_that_is_noted(site: Site, operator: Client) -> None:
    slow = site.task("slow", lambda job_id: None)
    slow.pause()
    flow = chain(slow.call(), slow.call())
    address = f"{URL}{flow.id}/"
    assert "Cancel all of it" in text_of(operator, address)

    answer = operator.post(f"{address}cancel/", {"next": address})

    assert answer.status_code == 302
    assert answer["Location"] == address
    assert flow.status == "FAILURE"
    assert not slow.jobs
    assert LogEntry.objects.get().change_message == f"Cancelled workflow {flow.id}."
    assert "with its jobs" in text_of(operator, address)
    operator.post(f"{address}cancel/", {"next": address})
    assert "had ended already" in text_of(operator, address)


def test_one_that_is_not_there_is_said_to_be_so(site: Site, operator: Client) -> None:
    for answer in (operator.get(f"{URL}7/"), operator.post(f"{URL}7/cancel/")):
        assert answer.status_code == 404
        assert "There is no workflow 7 here." in answer.content.decode()


def test_what_has_not_changed_is_not_sent_again(site: Site, viewer: Client) -> None:
    pool = site.task("slow", lambda job_id: None)
    pool.pause()
    flow = chain(pool.call())
    for address in (f"{URL}fragment/", f"{URL}{flow.id}/fragment/"):
        etag = viewer.get(address)["ETag"]

        assert viewer.get(address, headers={"If-None-Match": etag}).status_code == 304


def test_what_jobs_say_is_text_on_these_pages(site: Site) -> None:
    marker = '"><img src=x onerror=1><script>'

    def fails(job_id: int) -> None:
        raise ValueError(marker)

    auditor = client_of(user("auditor", "view_jobs", "view_job_args", is_staff=True))
    failing = site.task("failing", fails)
    saying = site.task("saying", lambda job_id: marker)
    flows = [chain(failing.call()), chain(saying.call()), Batch(failing, [()])]
    for flow in flows:
        flow.wait(SECONDS)

    pages = [text_of(auditor, f"{URL}{flow.id}/") for flow in flows]

    assert all("<img src=x" not in page for page in pages)
    assert all("&lt;img src=x onerror=1&gt;" in page for page in pages)


def test_a_list_of_many_durable_ones_is_one_query(
    site: Site, viewer: Client, django_assert_max_num_queries: Any
) -> None:
    pool = site.task("durable", lambda job_id: None, durable=True)
    chain(pool.call())
    with django_assert_max_num_queries(8):
        text_of(viewer, URL)
    for _ in range(20):
        chain(pool.call(), pool.call())

    with django_assert_max_num_queries(8):
        assert text_of(viewer, URL).count("0 of 2") == 20
