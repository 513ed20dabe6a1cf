"""The page of one pool."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from tests.conftest import Site, until
from tests.django.dashboard import PAYLOAD, added, operator, read, steer_url, viewer
from tests.django.test_dashboard_page import words
from yao_tasks import boot
from yao_tasks.dashboard.charts import chart
from yao_tasks.pools import tasks

pytestmark = pytest.mark.django_db


def url(task: str, *, fragment: bool = False) -> str:
    return reverse("admin:yao_tasks_dashboard_pool" + ("_fragment" if fragment else ""), args=[task])


def shown(client: Client, task: str) -> str:
    return words(read(client, url(task)))


def test_each_value_says_where_it_comes_from(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_TIMEOUT", "90")
    monkeypatch.setenv("MAIL_NAME", "hunter2-9f3")
    pool = site.task("mail", lambda job_id: None, timeout="$ENV.MAIL_TIMEOUT", name="$ENV.MAIL_NAME")
    pool.resize(5)

    text = shown(viewer(), "mail").partition("Configuration")[2]

    assert "timeout 1 min 30 s the environment: MAIL_TIMEOUT" in text
    assert "worker_nums 5 changed at run time; the file says 2" in text
    assert "attempts 0 the file" in text
    assert "attempt_after 0.01 s the file" in text
    assert "attempt_max_after 1 h default" in text
    assert "retention 10 min the settings" in text
    # A text of the environment may be a secret that was named by mistake.
    assert "name … the environment: MAIL_NAME" in text
    assert "hunter2" not in text


def test_the_file_is_shown_and_told_to_have_changed(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    assert pool.metrics()["running"] == 0
    client = viewer()
    before = shown(client, "mail")

    path = site.folder / "mail.json"
    path.write_text(path.read_text().replace('"size": 100', '"size": 101'))
    after = shown(client, "mail")

    assert "has changed since" not in before
    assert "&quot;size&quot;: 100" in before
    assert "The file has changed since this process read it" in after
    assert "&quot;size&quot;: 101" in after
    path.unlink()
    assert "It can't be read any more." in shown(client, "mail").replace("&#x27;", "'")


def test_workers_and_their_jobs_are_shown(site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=2)
    job_id = added(pool)
    gate.entered()

    text = shown(viewer(), "mail")

    assert "Workers thread" in text  # what "auto" in the definition came to
    assert re.search(rf"1 started, 0 idle .*mail-1 {job_id} (under 1|\d+) s", text)


def test_stacks_of_stuck_threads_are_for_operators(site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", gate)
    job_id = added(pool)
    gate.entered()
    pool.cancel(job_id)
    until(lambda: pool.metrics()["stuck"])

    assert "Where the stuck threads of mail are" in shown(operator(), "mail")
    assert "in __call__" in shown(operator(), "mail")
    assert "in __call__" not in shown(viewer(), "mail")


def test_the_last_hour_is_a_chart_and_a_table(site: Site) -> None:
    def handler(job_id: int, fails: bool) -> None:
        if fails:
            raise ValueError("no")

    pool = site.task("mail", handler)
    for fails in (False, False, True):
        pool.wait(added(pool, fails), 5)
    client = viewer()

    text = read(client, url("mail"))

    assert re.search(r"Succeeded 2 Failed 1 Retried 0", words(text))
    assert re.findall(r'<rect class="yt-fill-(\w+)"', text) == ["succeeded", "failed"]
    assert "Jobs by minute" in text
    assert re.search(r"Wait (\d+ ms|&lt; 1 ms) .* Run (\d+ ms|&lt; 1 ms)", words(text))


def test_bars_stand_on_each_other_and_fill_the_height() -> None:
    quiet = {"succeeded": 0, "failed": 0, "retried": 0}
    minutes = [quiet] * 58 + [
        {"succeeded": 1, "failed": 1, "retried": 0},
        {"succeeded": 999, "failed": 0, "retried": 1},
    ]

    drawn = chart([minutes, [quiet] * 60])

    assert drawn.most == 1_000
    assert [(part.kind, part.x, part.y, part.height) for part in drawn.parts] == [
        ("succeeded", 580, 99.0, 1.0),
        ("failed", 580, 98.0, 1.0),
        ("succeeded", 590, 0.1, 99.9),
        ("retried", 590, 0.0, 1.0),
    ]
    assert [row.minutes_ago for row in drawn.rows] == [0, 1]
    assert drawn.totals == {"succeeded": 1_000, "failed": 1, "retried": 1}
    assert chart([]).parts == chart([[quiet] * 60]).parts == []


def test_controls_lead_back_to_the_page(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    client = operator()
    text = read(client, url("mail"))

    answer = client.post(steer_url("pause", "mail"), {"next": url("mail")})

    assert steer_url("pause", "mail") in text
    assert steer_url("resize", "mail") in text
    assert answer["Location"] == url("mail")
    assert "Paused" in shown(client, "mail")
    assert steer_url("pause", "mail") not in read(viewer(), url("mail"))


def test_a_purge_leads_back_to_the_page_too(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.pause()
    added(pool)
    client = operator()
    (link,) = re.findall(r'href="([^"]*/purge/[^"]*)"', read(client, url("mail")))
    (hidden,) = re.findall(r'name="next" value="([^"]*)"', read(client, link.replace("&amp;", "&")))

    answer = client.post(steer_url("purge", "mail"), {"next": hidden})

    assert answer["Location"] == url("mail")


def test_a_task_at_fault_shows_why_and_its_file(site: Site) -> None:
    site.task("wrong", lambda job_id: None, worker_nums=0)
    site.task("gone", lambda job_id: None, process="no.such.module")

    first, second = shown(viewer(), "wrong"), shown(viewer(), "gone")

    assert "Can't be used." in first.replace("&#x27;", "'")
    assert "Messages of the checks" in first
    assert "&quot;worker_nums&quot;: 0" in first
    assert "there is no module" in second
    assert "no.such.module" in second.partition("The file")[2]


def test_a_task_that_there_is_not_or_no_more_is_said(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    assert tasks["mail"].metrics()
    client = viewer()
    (site.folder / "mail.json").unlink()
    boot.reset()

    for task in ("mail", "nobody", PAYLOAD.replace("/", "")):
        answer = client.get(url(task))

        assert answer.status_code == 404
        assert "There is no task" in answer.content.decode()
        assert "<script>alert" not in answer.content.decode()
        assert client.get(url(task, fragment=True)).status_code == 404


def test_script_in_every_field_is_text(site: Site) -> None:
    """S1: name, file, faults, process."""
    site.task("mail", lambda job_id: None, name=PAYLOAD)
    (site.folder / "wrong.json").write_text(json.dumps({PAYLOAD: PAYLOAD, "name": PAYLOAD}))
    boot.reset()
    client = operator()

    for task in ("mail", "wrong"):
        text = read(client, url(task)) + read(client, url(task, fragment=True))

        assert escape(PAYLOAD) in text
        assert "<img" not in text
        assert "<script>alert" not in text


def test_what_has_not_changed_is_304(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    client = viewer()
    etag = client.get(url("mail", fragment=True))["ETag"]

    assert client.get(url("mail", fragment=True), headers={"if-none-match": etag}).status_code == 304


def test_a_task_may_be_called_as_our_pages_are(site: Site) -> None:
    names = ("jobs", "processes", "fragment", "pool", "change")
    for name in names:
        site.task(name, lambda job_id: None)
    client = viewer()

    for name in names:
        pool: Any = tasks[name]
        job_id = added(pool)
        assert "Configuration" in read(client, url(name))
        assert str(job_id) in read(client, reverse("admin:yao_tasks_dashboard_job", args=[name, job_id]))


def test_each_worker_says_what_it_has_done_and_since_when(site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", lambda job_id, what: gate(job_id) if what == "hold" else None, worker_nums=1)
    for _ in range(3):
        pool.wait(added(pool, "go"), 5)
    until(lambda: pool.metrics()["crew"][0]["done"] == 3)
    idle = shown(viewer(), "mail")
    held = added(pool, "hold")
    gate.entered()

    busy = shown(viewer(), "mail")

    assert "mail-1 idle 3 " in idle
    assert re.search(rf"mail-1 {held} (under 1|\d+) s 3 \d", busy)
