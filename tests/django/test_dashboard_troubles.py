"""What the page says of what went wrong: failed jobs, threads that are stuck, modules that can't be imported."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation
from django.utils.html import escape

from tests.conftest import Site, until
from tests.django.dashboard import FRAGMENT, PAYLOAD, added, operator, page, steer_url, viewer
from tests.django.test_dashboard_page import words
from yao_tasks import boot
from yao_tasks.core import growth
from yao_tasks.core.clock import Clock
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.dashboard.said import Said, said
from yao_tasks.pools import Pool

pytestmark = pytest.mark.django_db


def fails(job_id: int, text: str = "row 17: no date") -> None:
    raise ValueError(text)


def failed(pool: Pool, *args: Any) -> int:
    """The id of a job that has failed."""
    job_id = added(pool, *args)
    assert pool.wait(job_id, 5).status == "FAILURE"
    return job_id


def failures_of(text: str) -> str:
    """The part of a page that shows recent failures."""
    return text.partition('data-region="failures"')[2]


def shown_ids(text: str) -> list[int]:
    return [int(found) for found in re.findall(r'yt-failed-id">(\d+)<', text)]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_failure_is_shown_with_its_error_and_a_button(retries: int, site: Site) -> None:
    pool = site.task("mail", fails, name="Welcome mail", attempts=retries, attempt_after=0)
    job_id = failed(pool)

    text = failures_of(page(operator(), FRAGMENT))

    read = words(text)
    assert f"Welcome mail mail {job_id} Raised ValueError row 17: no date" in read
    assert f" 1 under 1 min ago Retry job {job_id}" in read
    assert f'formaction="{steer_url("retry", "mail", job_id)}"' in text
    assert "raise ValueError(text)" in text


def test_who_may_only_look_sees_no_traceback_and_no_button(site: Site) -> None:
    pool = site.task("mail", fails)
    job_id = failed(pool)

    text = failures_of(page(viewer()))

    assert f"mail {job_id} Raised ValueError row 17: no date" in words(text)
    assert "Traceback" not in text
    assert "raise ValueError" not in text
    assert "<button" not in text


def test_failures_are_grouped_by_task_and_exception_the_latest_first(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yao_tasks.dashboard.failures.MOST", 3)

    def handler(job_id: int, error: type[Exception]) -> None:
        raise error("no date")

    site.task("mail", handler)
    pools = [site.task("report", handler), Pool("mail")]
    failed(pools[0], KeyError)  # pushed out by three later groups
    ids = [failed(pools[number % 2], ValueError) for number in range(5)]
    odd = failed(pools[1], TypeError)

    text = failures_of(page(operator()))

    assert shown_ids(text) == [odd, ids[4], ids[3]]
    counts = re.findall(r'<a href="[^"]*/jobs/(\?[^"]*)">(\d)</a>', text)
    assert [count for _, count in counts] == ["1", "3", "2"]
    assert "first: under 1 min ago" in text


def test_a_group_leads_to_its_jobs_and_is_retried_as_a_whole(site: Site) -> None:
    def handler(job_id: int, error: type[Exception]) -> None:
        raise error("no date")

    pool = site.task("mail", handler)
    group = [failed(pool, ValueError) for _ in range(3)]
    failed(pool, TypeError)
    client = operator()
    text = failures_of(page(client))
    (query,) = re.findall(r'name="group" value="([^"]*)"', text)
    query = query.replace("&amp;", "&")
    verb = reverse("admin:yao_tasks_dashboard_bulk", args=["retry"])

    listed = client.get("/admin/yao_tasks/dashboard/jobs/" + query).content.decode()
    asked = client.post(verb, {"group": query, "page": "1"}).content.decode()
    (hidden,) = re.findall(r'name="filter" value="([^"]*)"', asked)
    done = client.post(
        verb, {"all": "1", "confirmed": "1", "filter": hidden.replace("&amp;", "&")}, follow=True
    )

    assert [int(found) for found in re.findall(r'yt-id">(\d+)<', listed)] == group[::-1]
    assert "This is for 3 jobs." in asked
    assert [str(message) for message in done.context["messages"]] == ["Retried 3 jobs."]


@pytest.mark.parametrize(
    ("end", "word"), [("cancel", "Cancelled"), ("timeout", "Timed out"), ("close", "Lost")]
)
def test_the_kind_of_a_failure_is_a_word(end: str, word: str, site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, timeout=0.05 if end == "timeout" else 60)
    job_id = added(pool)
    gate.entered()
    if end == "cancel":
        pool.cancel(job_id)
    elif end == "close":
        pool.close(0)
    pool.wait(job_id, 5)

    assert f"mail {job_id} {word} yao_tasks.errors.Job" in words(failures_of(page(viewer())))


def test_where_nothing_failed_that_is_said(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.wait(added(pool), 5)

    assert "No job has failed here" in failures_of(page(viewer()))


def test_a_long_error_is_cut_and_scripts_in_it_are_text(site: Site) -> None:
    pool = site.task("mail", fails)
    failed(pool, PAYLOAD + "x" * 10_000)

    text = failures_of(page(operator()))

    assert escape(PAYLOAD) in text
    assert "<img" not in text
    assert "<script>" not in text
    assert 400 < text.count("x") < 5_000


def test_an_event_that_takes_long_is_named_in_the_readers_language(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yao_tasks.core.watch.SLOW_SECONDS", 0.05)
    gate = site.gate()
    pool = site.task("mail", lambda job_id: None, event={"success": gate})
    job_id = added(pool)
    gate.entered()
    until(lambda: pool.metrics()["slow_events"])

    text = (
        viewer().get("/admin/yao_tasks/dashboard/", headers={"accept-language": "zh-hans"}).content.decode()
    )

    assert re.search(rf"仍在执行： event\.success（作业 {job_id}）：\d+ 秒", words(text))


@pytest.mark.parametrize(
    ("trouble", "chinese"),
    [
        (
            "No process could be started: it exited with status 7 before it was ready.",
            "无法启动进程：it exited",
        ),
        (
            "21 of its processes died within 10 minutes; the last one exited with status 3. The next starts in 8 s.",
            "最近 10 分钟内已有 21 个进程退出，最后一个：exited with status 3。下一个将在 8 秒后启动。",
        ),
    ],
)
def test_why_a_pools_processes_do_not_start_or_keep_dying_is_red_on_both_pages(
    site: Site, monkeypatch: pytest.MonkeyPatch, trouble: str, chinese: str
) -> None:
    monkeypatch.setattr("yao_tasks.core.workers.thread.ThreadWorkers.trouble", trouble)
    site.task("mail", fails)
    pages = ("/admin/yao_tasks/dashboard/", reverse("admin:yao_tasks_dashboard_pool", args=["mail"]))

    for url in pages:
        text = viewer().get(url).content.decode()
        assert f"mail {trouble}" in words(text) or f"{trouble} Workers" in words(text)
        assert 'class="yt-word red"' in text
        text = viewer().get(url, headers={"accept-language": "zh-hans"}).content.decode()
        assert chinese in words(text)


@pytest.mark.parametrize("room", [True, False])
def test_why_a_pool_grew_is_said_in_the_readers_language(room: bool, site: Site) -> None:
    life = Lifecycle("mail", worker_nums=1, size=10, keeps_ended=True)
    life.ready_count = 3
    grows = growth.Growth(life, Clock(), lambda count: None, most=2, usage=lambda: 0.1 if room else 0.95)
    grows._weigh()

    with translation.override("zh-hans"):
        assert said(grows.reason) == Said(text="有 3 个作业在等待" if room else "机器繁忙：95 %")


def test_what_no_page_knows_stays_as_it_is_and_is_marked_as_english() -> None:
    with translation.override("zh-hans"):
        assert said("something new") == Said(text="something new", language="en")
        assert said(f"idle for {growth.IDLE:g} s") == Said(text="已空闲 10 秒")


def test_a_pool_that_grew_says_to_how_many_and_why(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yao_tasks.core.growth.STEP", 0.01)
    monkeypatch.setattr("yao_tasks.core.load._processors.usage", lambda: 0.0)
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1, worker_max=2)
    for _ in range(3):
        added(pool)
    until(lambda: pool.metrics()["worker_nums"] == 2)
    gate.entered(2)

    read = words(page(viewer()))

    assert re.search(
        r"mail embedded · thread · memory only 2 of 2 grows to 2 last reason: \d jobs wait 1 of 100", read
    )
    own = words(viewer().get(reverse("admin:yao_tasks_dashboard_pool", args=["mail"])).content.decode())
    assert re.search(r"Workers 2 of 2 grows to 2 last reason: \d jobs wait Waiting 1 of 100", own)


def test_a_module_that_fails_is_not_imported_again_at_each_refresh(
    site: Site, module: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []
    monkeypatch.setattr("builtins.note_a_try", tries.append, raising=False)
    name = module(jobs="note_a_try('once')\nraise ValueError('not today')")
    site.task("mail", fails, process=f"{name}.jobs.send")
    client = viewer()
    now = [1000.0]
    monkeypatch.setattr("yao_tasks.dashboard.readings.time.monotonic", lambda: now[0])

    first, again = page(client), page(client)
    count = len(tries)
    now[0] += 11
    page(client)
    later = len(tries)
    boot.reset()
    page(client)

    assert "not today" in first
    assert "not today" in again
    assert count > 0
    # Tried once for the first page, once more after 10 s, and at once when the files are read anew.
    assert (later, len(tries)) == (2 * count, 3 * count)


def test_a_task_that_has_been_mended_is_shown_once_its_time_is_over(
    site: Site, module: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("yao_tasks.dashboard.readings.time.monotonic", lambda: now[0])
    monkeypatch.setattr("builtins.is_mended", False, raising=False)
    name = module(jobs="assert is_mended\ndef send(job_id): pass")
    site.task("mail", fails, process=f"{name}.jobs.send")
    client = viewer()
    assert "Can't be used." in page(client)

    monkeypatch.setattr("builtins.is_mended", True)
    now[0] += 11

    assert "Can't be used." not in page(client)


def test_a_stuck_thread_shows_where_it_is_to_those_who_may_steer(site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", gate)
    job_id = added(pool)
    gate.entered()
    pool.cancel(job_id)
    until(lambda: pool.metrics()["stacks"])

    seen, hidden = page(operator()), page(viewer())

    assert "1 stuck" in seen
    assert "1 stuck" in hidden
    assert f"mail-1, run 1 of job {job_id}:" in seen
    assert "nobody opened the gate" in seen
    assert "nobody opened the gate" not in hidden
    assert '<details data-kept="stacks mail">' in seen
    assert "<details" not in hidden.partition('data-region="pools"')[2].partition('data-region="jobs"')[0]
