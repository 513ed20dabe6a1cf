"""The top of the overview: what is wrong, the numbers; and what is done to all pools, or by hand."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.conftest import Gate, Site, until
from tests.django.dashboard import (
    PAYLOAD,
    added,
    logged,
    operator,
    page,
    read,
    said_after,
    steer_url,
    viewer,
)
from tests.django.test_dashboard_page import words
from yao_tasks.core import machine
from yao_tasks.core.errors import PoolSaturated
from yao_tasks.core.ids import EPOCH, Owner, birth
from yao_tasks.dashboard.processes import rows_of
from yao_tasks.models import JobOwner
from yao_tasks.pools import Pool, tasks

pytestmark = pytest.mark.django_db

PROCESSES = "/admin/yao_tasks/dashboard/processes/"


def wrong(text: str) -> str:
    return words(text.partition('data-region="wrong"')[2].partition('data-region="tiles"')[0]).strip('" ')


def tiles(text: str) -> dict[str, tuple[int, list[str]]]:
    found = {}
    for tile in text.partition('class="yt-tiles"')[2].partition("</ul>")[0].split("<li")[1:]:
        word = words(tile.partition('class="yt-tile-word">')[2].partition("</span>")[0]).strip()
        count = re.search(r"<strong>([\d,]+)</strong>", tile)
        assert count is not None
        found[word] = (int(count[1]), re.findall(r'<span class="yt-quiet">([^<]*)</span>', tile))
    return found


# What is wrong


def test_that_nothing_is_wrong_is_said_too(site: Site) -> None:
    site.task("mail", lambda job_id: None)

    assert "Nothing is wrong with the pools." in wrong(page(viewer()))


def test_the_worst_comes_first_and_leads_to_its_cure(site: Site) -> None:
    gate = site.gate()
    site.task("bad", gate, size=-1)
    site.task("full", gate, worker_nums=1, size=1)
    site.task("mail", gate)
    site.task("near", gate, worker_nums=1, size=10)
    site.task("stuck", gate, worker_nums=1)
    for task, count in (("full", 2), ("near", 9)):
        for _ in range(count):
            added(tasks[task])
    hanging = added(tasks["stuck"])
    until(lambda: tasks["stuck"].metrics()["running"])
    tasks["stuck"].cancel(hanging)
    path = site.folder / "mail.json"
    path.write_text(path.read_text().replace('"size": 100', '"size": 7'))
    tasks["mail"].pause()

    text = page(viewer())

    found = re.findall(r'yt-word (\w+)">.*?pool/"><code>(\w+)</code></a> (.*?)</li>', text, re.DOTALL)
    assert [(level, task) for level, task, _ in found] == [
        ("red", "bad"),
        ("red", "full"),
        ("red", "stuck"),
        ("amber", "mail"),
        ("amber", "near"),
        ("amber", "mail"),
    ]
    read_out = wrong(text)
    assert "full its queue is full" in read_out
    assert "near its queue is nearly full." in read_out
    assert "mail is paused." in read_out
    assert "mail its file has changed" in read_out
    assert "stuck 1 worker hangs." in read_out


def test_a_pool_all_of_whose_workers_hang_is_said_to_take_no_more(site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1)
    for count in (1, 2):
        job_id = added(pool)
        gate.entered()
        pool.cancel(job_id)
        until(lambda: pool.metrics()["stuck"] == count)  # noqa: B023 - asked at once
        said = wrong(page(viewer()))

        assert ("all its workers hang: it takes no more jobs." in said) is (count == 2)
    with pytest.raises(PoolSaturated):
        added(pool)


def test_who_paused_a_pool_and_when_is_said(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    client = operator()
    client.post(steer_url("pause", "mail"))
    LogEntry.objects.update(action_time=datetime.now(UTC) - timedelta(minutes=5))

    first = wrong(page(viewer()))
    client.post(steer_url("resume", "mail"))
    pool.pause()
    second = wrong(page(viewer()))

    assert "mail was paused by operator, 5 min ago." in first
    assert "mail is paused." in second


# The numbers


def test_tiles_count_what_their_lists_show(site: Site) -> None:
    gate = site.gate()

    def handler(job_id: int, word: str) -> None:
        if word == "fail":
            raise ValueError("no")
        if word == "hold":
            gate(job_id)

    pool = site.task("mail", handler, worker_nums=1, size=2)
    for word in ("work", "work", "work", "fail"):
        pool.wait(added(pool, word), 5)
    added(pool, "hold")
    gate.entered()
    pool.cancel(added(pool, "wait"))
    added(pool, "wait")
    pool.using(on_commit=False, run_after=600).add("later")
    for _ in range(2):
        with pytest.raises(Exception, match="size"):
            added(pool, "refused")
    client = viewer()

    text = page(client)

    found = tiles(text)
    assert {word: count for word, (count, _) in found.items()} == {
        "Running": 1,
        "Waiting": 1,
        "Retrying": 0,
        "Delayed": 1,
        "Succeeded": 3,
        "Failed": 2,
        "Timed out": 0,
        "Cancelled": 1,
        "Refused": 2,
    }
    assert found["Succeeded"][1] == ["3 in the last hour"]
    assert found["Failed"][1] == ["2 in the last hour", "40.0 % of all"]
    for query, count in re.findall(r'jobs/(\?[^"]*)">(?:(?!</li>).)*?<strong>(\d+)', text, re.DOTALL):
        listed = read(client, "/admin/yao_tasks/dashboard/jobs/" + query.replace("&amp;", "&"))
        assert len(re.findall('class="yt-id"', listed)) == int(count)


def test_what_is_no_longer_kept_is_said(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None, retention=0)
    added(pool)
    until(lambda: pool.metrics()["succeeded"] == 1)

    assert tiles(page(viewer()))["Succeeded"] == (0, ["1 in the last hour", "1 no longer kept"])


def test_a_pool_says_how_long_its_queue_takes_and_what_failed_last(site: Site) -> None:
    gate = site.gate()

    def handler(job_id: int, word: str) -> None:
        if word == "fail":
            raise ValueError("no")
        gate(job_id)

    pool = site.task("mail", handler, worker_nums=1)
    pool.wait(added(pool, "fail"), 5)
    added(pool, "hold")
    gate.entered()
    added(pool, "wait")

    text = words(page(viewer()))

    assert "1 empty in 1 min" in text
    assert "last: ValueError" in text
    assert "0 % in the last hour" in text


def test_the_overview_asks_the_database_no_more_for_more_pools_and_jobs(site: Site) -> None:
    client = operator()
    counts = []
    for pools in (1, 12):
        for number in range(pools):
            site.task(f"task{number}", lambda job_id: None)
        for number in range(pools):
            tasks[f"task{number}"].pause()
        page(client)
        with CaptureQueriesContext(connection) as queries:
            page(client)
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 10


# All pools at once


def test_all_pools_are_paused_and_resumed(site: Site) -> None:
    for name in ("mail", "rates"):
        site.task(name, lambda job_id: None)
    tasks["rates"].pause()
    client = operator()

    paused = said_after(client, reverse("admin:yao_tasks_dashboard_pause_all"))
    again = said_after(client, reverse("admin:yao_tasks_dashboard_pause_all"))
    both = [tasks[name].metrics()["paused"] for name in ("mail", "rates")]
    resumed = said_after(client, reverse("admin:yao_tasks_dashboard_resume_all"))

    assert (paused, again, resumed) == (["Paused 1 pool."], ["Paused 0 pools."], ["Resumed 2 pools."])
    assert both == [True, True]
    assert not any(tasks[name].metrics()["paused"] for name in ("mail", "rates"))
    assert logged() == ["Paused mail.", "Resumed mail.", "Resumed rates."]


# Adding by hand


def test_a_job_is_added_by_hand(site: Site) -> None:
    pool = site.task("mail", lambda job_id, address, name="": [address, name])
    client = operator()
    url = steer_url("add_job", "mail")
    form = words(read(client, url))

    (sentence,) = said_after(client, url, args='["ada@example.org"]', kwargs='{"name": "Ada"}')

    assert "takes, after the job&#x27;s id: address name" in form.replace("'", "&#x27;")
    job_id = int(re.findall(r"Added job (\d+) to mail\.", sentence)[0])
    assert pool.wait(job_id, 5).response == ["ada@example.org", "Ada"]
    assert logged() == [f"Added job {job_id} to mail."]


def test_a_job_can_be_added_for_later(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)

    said_after(operator(), steer_url("add_job", "mail"), run_after="600")

    assert [info.due_at is not None for info in pool.jobs.values()] == [True]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"args": "[1"}, "That is no JSON:"),
        ({"args": "[" * 50_000}, "That is no JSON:"),
        ({"args": "[NaN]"}, "That is no JSON:"),
        ({"args": "{}"}, "Give a list."),
        ({"kwargs": "[]"}, "Give an object."),
        ({"run_after": "-1"}, "greater than or equal to 0"),
        ({"run_after": "nan"}, "Enter a number."),
        ({"run_after": "x"}, "Enter a number."),
        ({"args": PAYLOAD}, "That is no JSON:"),
    ],
)
def test_what_cannot_be_added_is_said_in_the_form(given: dict[str, str], sentence: str, site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)

    answer = operator().post(steer_url("add_job", "mail"), given)

    text = answer.content.decode()
    assert answer.status_code == 200
    assert sentence in text
    assert "The job was not added." in text
    assert "<script>alert" not in text
    assert pool.metrics()["added"] == 0


def test_a_full_queue_is_said_in_the_form(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None, size=1)
    pool.pause()
    added(pool)

    text = operator().post(steer_url("add_job", "mail"), {"args": "[]"}).content.decode()

    assert "The queue is full: try again later." in text


# Processes


def test_this_process_is_shown_with_its_jobs(site: Site) -> None:
    gate: Gate = site.gate()
    pool: Pool = site.task("mail", gate, worker_nums=1)
    added(pool)
    added(pool)
    gate.entered()

    text = words(read(viewer(), PROCESSES))

    assert re.search(r"\S+:\d+ this one Alive, (web|command) .* \d+ MiB 1 1 ", text)


def test_living_and_dead_processes_are_listed_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.fromtimestamp(EPOCH + 1_000, UTC)
    owners = [
        Owner(block=10_000, pid=99_999_998, born="1"),
        Owner(block=20_000, pid=1, born=birth(1)),
        Owner(block=30_000, pid=99_999_998, born="1"),
        Owner(block=40_000, pid=99_999_999, born="7"),
    ]

    rows = rows_of(owners, [], now)

    # This one has taken none.
    assert [row.is_this for row in rows] == [True, False, False, False]
    assert [row.name.rpartition(":")[2] for row in rows[1:]] == ["1", "99999999", "99999998"]
    assert [row.is_alive for row in rows] == [True, True, False, False]
    assert [row.age for row in rows[1:]] == ["13 min ago", "10 min ago", "11 min ago"]


def test_processes_that_write_recorded_jobs_are_listed_with_what_their_rows_say() -> None:
    now = timezone.now()
    here = machine.mine()
    same = {"machine": here.machine, "boot": here.boot, "pid_space": here.pid_space}
    elsewhere = JobOwner(
        machine="m2", pid=7, born="1", host="other", role="runtasks", release="2.0", started_at=now
    )
    mine = JobOwner(**same, pid=1, born=birth(1), host="vm", role="server", release="1.9", started_at=now)
    ended = JobOwner(
        **same, pid=99_999_999, born="1", host="vm", role="command", started_at=now, ended_at=now
    )

    rows = rows_of([Owner(block=1, pid=1, born=birth(1))], [elsewhere, mine, ended], now)

    told = {row.name.rpartition(":")[2]: (row.is_alive, row.kind, row.release) for row in rows[1:]}
    assert told == {
        "7": (None, "runtasks", "2.0"),
        "1": (True, "web", "1.9"),
        "99999999": (False, "command", ""),
    }
    assert rows[0].is_this


def test_a_process_is_shown_though_no_file_can_be_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> int:
        raise OSError("read-only")

    site.task("mail", lambda job_id: None)
    monkeypatch.setattr("yao_tasks.core.ids.open_file", fail)
    client: Client = viewer()

    assert "this one" in read(client, PROCESSES)
    etag = client.get(f"{PROCESSES}fragment/")["ETag"]
    assert etag
