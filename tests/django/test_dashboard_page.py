"""What the page says."""

import json
import re
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import override_settings
from django.urls import path, reverse
from django.utils.html import escape

from tests.conftest import Site, until
from tests.django.dashboard import (
    FRAGMENT,
    OVERVIEW,
    PAYLOAD,
    added,
    cancel_url,
    client_of,
    operator,
    page,
    viewer,
)
from yao_tasks import boot, current_job
from yao_tasks.admin import DashboardAdmin
from yao_tasks.models import Dashboard

pytestmark = pytest.mark.django_db

both = pytest.mark.parametrize("name", [OVERVIEW, FRAGMENT], ids=["page", "fragment"])


class OtherSite(admin.AdminSite):
    site_header = "Another admin"


other = OtherSite(name="other")
other.register(Dashboard, DashboardAdmin)
urlpatterns = [path("admin/", admin.site.urls), path("other/", other.urls)]


def words(text: str) -> str:
    """The text of a page as it reads: without tags, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def test_an_empty_site_teaches_how_to_begin(site: Site) -> None:
    text = words(page(viewer()))

    assert "manage.py tasks new welcome_email accounts.jobs.send_welcome" in text
    assert 'Jobs appear as soon as tasks["…"].add(…) is called.' in text


@both
def test_a_running_job_is_shown_with_progress_attempt_time_and_worker(name: str, site: Site) -> None:
    gate = site.gate()

    def handler(job_id: int) -> None:
        current_job().progress(3, 10, "rendering")  # type: ignore[union-attr]
        gate(job_id)

    pool = site.task("mail", handler, name="Welcome mail", attempts=3, timeout=90)
    job_id = added(pool)
    gate.entered()

    text = page(viewer(), name)

    assert re.search(
        r'<progress class="yt-bar" max="100" value="30"[^>]*aria-valuetext="3 of 10 rendering"', text
    )
    read = words(text)
    assert f"Welcome mail mail {job_id} Running 3 of 10 rendering 1 of 4" in read
    assert re.search(r"(under 1|\d) s of 1 min 30 s mail-1", read)
    assert "1 running, 0 waiting" in read


def test_a_waiting_job_has_no_bar_and_no_worker(site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1)
    added(pool)
    gate.entered()
    waiting = added(pool)

    text = words(page(viewer()))

    assert re.search(
        rf"mail {waiting} Waiting (under 1|\d) s </div>|mail {waiting} Waiting (under 1|\d) s", text
    )
    assert "1 running, 1 waiting" in text
    assert "oldest:" in text


def test_a_job_between_two_runs_says_when_the_next_one_is(site: Site) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("not today")

    pool = site.task("mail", handler, attempts=3, attempt_after=600_000)
    job_id = added(pool)
    until(lambda: pool.metrics()["retried"])

    text = words(page(viewer()))

    assert re.search(rf"mail {job_id} Retrying 1 of 4 next run in (9 min \d+ s|10 min) ", text)
    # It takes no place in the queue, and no worker: busy, waiting, delayed, a minute, succeeded, failed.
    assert "mail embedded · thread · memory only 0 of 2 0 of 100 1 delayed 0 0 0 1 retried " in text


def test_running_jobs_come_first(site: Site) -> None:
    gate = site.gate()

    def handler(job_id: int, fails: bool) -> None:
        if fails:
            raise ValueError("later")
        gate(job_id)

    pool = site.task("mail", handler, worker_nums=1, attempts=1, attempt_after=600_000)
    retrying = [added(pool, True) for _ in range(3)]
    running = added(pool, False)
    gate.entered()

    text = page(operator())

    order = [int(found) for found in re.findall(r'<span class="yt-id">(\d+)</span>', text)]
    assert order == [running, *retrying]


def test_a_pool_is_shown_in_numbers(site: Site) -> None:
    gate = site.gate()

    def handler(job_id: int, kind: str) -> None:
        if kind == "bad":
            raise ValueError("bad")
        if kind == "slow":
            gate(job_id)

    pool = site.task("mail", handler, name="Welcome mail", worker_nums=2, size=5)
    for kind in ("good", "good", "bad"):
        pool.wait(added(pool, kind), 5)
    cancelled = added(pool, "slow")
    gate.entered()
    pool.cancel(cancelled)
    added(pool, "slow")
    gate.entered()

    text = words(page(viewer()))

    # Workers, waiting, a minute, wait and run, succeeded, failed.
    time = r"(&lt; 1 ms|\d+ ms|\d+\.\d s)"
    assert re.search(
        rf"Welcome mail mail embedded · thread · memory only 1 of 2 1 stuck 0 of 5 4 wait p95: {time} run p95: {time} "
        r"2 50 % in the last hour 2 1 raised, 1 cancelled last: \S+ ",
        text,
    )


@pytest.mark.parametrize(
    ("waiting", "level", "word"), [(7, "", ""), (8, "amber", "nearly full"), (10, "red", "full")]
)
def test_a_queue_turns_amber_at_80_percent_and_red_when_full(
    waiting: int, level: str, word: str, site: Site
) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1, size=10)
    added(pool)
    gate.entered()
    for _ in range(waiting):
        added(pool)

    text = page(viewer())

    assert f'<progress class="yt-bar {level}" max="10" value="{waiting}"' in text
    pools = text.partition('data-region="pools"')[2]
    assert re.findall(r'yt-word \w+">.*?</svg>\s*([\w ]+?)\s*<', pools, re.DOTALL) == ([word] if word else [])


def test_failed_events_are_counted(site: Site) -> None:
    def fails(job_id: int, result: Any) -> None:
        raise ValueError("in the event")

    pool = site.task("mail", lambda job_id: None, event={"success": fails})
    pool.wait(added(pool), 5)
    until(lambda: pool.metrics()["failed_events"])

    assert "1 event failed: see the log." in words(page(viewer()))


def test_an_event_that_takes_long_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yao_tasks.core.watch.SLOW_SECONDS", 0.05)
    gate = site.gate()
    pool = site.task("mail", lambda job_id: None, event={"success": gate})
    job_id = added(pool)
    gate.entered()
    until(lambda: pool.metrics()["slow_events"])

    assert f"Still running: event.success of job {job_id}: 0 s" in words(page(viewer()))


def test_a_task_at_fault_shows_its_sentence_and_the_others_stay(site: Site) -> None:
    site.task("good", lambda job_id: None, name="Good task")
    site.task("gone", lambda job_id: None, process="no.such.module.here")
    site.task("wrong", lambda job_id: None, worker_nums=0)

    text = words(page(viewer()))

    assert "Good task good embedded · thread · memory only 0 of 2" in text
    assert re.search(r"gone Can't be used\. \S+gone\.json: .*?there is no module", text)
    assert re.search(r"wrong Can't be used\. \S+wrong\.json: &quot;worker_nums&quot; is 0\.", text)


def test_faults_of_definitions_and_settings_stand_at_the_top(site: Site, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENSION": 5}
    site.task("wrong", lambda job_id: None, size=-1)

    top = words(page(viewer())).partition(" Pools ")[0]

    assert "Wrong in the settings and definitions" in top
    assert "&quot;size&quot; is -1." in top
    assert "RETENSION" in top


def test_without_faults_there_is_no_box(site: Site) -> None:
    site.task("good", lambda job_id: None)

    assert "yt-faults" not in page(viewer())


def test_the_only_process_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 4711)
    monkeypatch.setattr(boot, "processes", list)

    assert "Process 4711; no other process of this site" in words(page(viewer()))


def test_one_process_of_several_says_so_and_what_to_do(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "processes", lambda: [17, 99_999_999])

    text = words(page(viewer()))

    assert re.search(r"Process \d+, 2 of 3 of this site on this machine\.", text)
    assert "a reload may reach another process" in text


@both
def test_script_in_every_field_is_text(name: str, site: Site, broken_module: str) -> None:
    gate = site.gate()

    def handler(job_id: int, *args: Any, **kwargs: Any) -> None:
        current_job().progress(1, 2, PAYLOAD)  # type: ignore[union-attr]
        gate(job_id)

    # Any file name may be a task's: what is none of the letters of an id is named as a fault.
    odd = PAYLOAD.replace("/", "")
    (site.folder / f"{odd}.json").write_text("{}")
    (site.folder / "wrong.json").write_text(
        json.dumps({PAYLOAD: PAYLOAD, "name": PAYLOAD, "timeout": PAYLOAD})
    )
    site.task("broken", handler, process=f"{broken_module}.call")
    pool = site.task("mail", handler, name=PAYLOAD)
    added(pool, PAYLOAD, key=PAYLOAD)
    gate.entered()

    text = page(operator(), name)

    # Twice the task's name, the message and the bar's text, the file's name, the import's error; the key.
    assert text.count(escape(PAYLOAD)) >= 5
    assert escape(odd) in text
    assert "<img" not in text
    assert "<script>" not in text
    assert "onerror=1><script" not in text


@pytest.fixture
def broken_module() -> Iterator[str]:
    """A module that fails while it is imported, with a script in its error."""

    class Finder:
        @staticmethod
        def find_spec(fullname: str, path: Any, target: ModuleType | None = None) -> None:
            if fullname == "broken_for_the_dashboard":
                raise ValueError(PAYLOAD)

    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]
    yield "broken_for_the_dashboard"
    sys.meta_path.remove(Finder)  # type: ignore[arg-type]


def test_numbers_stay_readable_for_machines_whatever_the_locale(site: Site, settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    gate = site.gate()
    pool = site.task("mail", gate, size=5000, worker_nums=1)
    job_id = added(pool)
    gate.entered()

    text = page(operator())

    assert 'max="5000" value="0"' in text
    assert f'<span class="yt-id">{job_id}</span>' in text
    assert cancel_url("mail", job_id) in text
    assert "0 of 5,000" in text


def test_a_look_starts_no_thread(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    before = set(threading.enumerate())

    page(viewer())

    assert set(threading.enumerate()) == before


@override_settings(ROOT_URLCONF=__name__)
def test_an_admin_site_of_ones_own_works_alike(site: Site) -> None:
    pool = site.task("mail", site.gate())
    job_id = added(pool)
    client = client_of(User.objects.create_superuser("super"))
    url = reverse(OVERVIEW, current_app="other")
    text = client.get(url).content.decode()

    answer = client.post(f"{url}mail/{job_id}/cancel/")

    assert "Another admin" in text
    assert f'formaction="{url}mail/{job_id}/cancel/"' in text
    assert f'data-url="{url}fragment/"' in text
    assert answer["Location"] == f"{url}?page=1"


def test_a_pool_says_what_runs_its_jobs(site: Site) -> None:
    async def handler(job_id: int) -> None: ...

    site.task("later", handler, worker_nums=5_000)

    assert "later embedded · async · memory only 0 of 5000 " in words(page(viewer()))


@override_settings(ROOT_URLCONF=__name__)
def test_every_link_stays_on_the_admin_site_that_it_is_on(site: Site) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("no")

    pool = site.task("mail", handler)
    job_id = added(pool)
    pool.wait(job_id, 5)
    pool.pause()
    added(pool)
    client = client_of(User.objects.create_superuser("super"))
    home = reverse(OVERVIEW, current_app="other")

    for path_of_page in (
        "",
        "jobs/",
        f"mail/{job_id}/",
        "mail/pool/",
        "processes/",
        "mail/add/",
        "mail/purge/",
    ):
        text = client.get(home + path_of_page).content.decode()

        links = re.findall(r'(?:href|action|formaction|data-url)="(/[^"]*)"', text)
        assert len(links) > 5
        assert [link for link in links if not link.startswith(("/other/", "/static/"))] == ["/"]
