"""The page of one job."""

import logging
import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils.html import escape

from tests.conftest import Site, until
from tests.django.dashboard import (
    PAYLOAD,
    added,
    client_of,
    job_page,
    logged,
    operator,
    read,
    said_after,
    steer_url,
    user,
    viewer,
)
from tests.django.test_dashboard_page import words
from yao_tasks import current_job
from yao_tasks.core.diary import diary

pytestmark = pytest.mark.django_db

SECRET = "hunter2-9f3"
foreign = logging.getLogger("accounts.mail")


def auditor() -> Any:
    """Somebody who may see everything, and steer."""
    rights = ("view_jobs", "operate_jobs", "view_job_args")
    return client_of(user("auditor", *rights, is_staff=True))


def test_a_running_job_shows_its_badge_progress_and_time(site: Site) -> None:
    gate = site.gate()

    def handler(job_id: int) -> None:
        current_job().progress(3, 10, "rendering")  # type: ignore[union-attr]
        gate(job_id)

    pool = site.task("mail", handler, name="Welcome mail", attempts=3, timeout=90)
    job_id = added(pool)
    gate.entered()

    text = words(job_page(viewer(), pool, job_id))

    assert f"Job {job_id} of Welcome mail" in text
    times = r"ran (under 1|\d) s of 1 min 30 s (under 1|\d+) s left"
    assert re.search(rf"Running attempt 1 of 4 {times} Worker mail-1", text)
    assert "3 of 10 rendering" in text
    assert re.search(r"Added .* Run 1 started after .* Still running after ", text)


def test_the_timeline_tells_each_run_and_the_waits_between(site: Site) -> None:
    def handler(job_id: int) -> None:
        if current_job().attempt < 3:  # type: ignore[union-attr]
            raise ValueError("not yet")

    pool = site.task("mail", handler, attempts=3, attempt_after=20)
    job_id = added(pool)
    pool.wait(job_id, 5)

    text = job_page(operator(), pool, job_id)

    steps = re.findall(r"<span>([^<]+)</span>", text.partition("yt-timeline")[2].partition("</ol>")[0])
    assert steps == [
        "Added",
        "Run 1 started",
        "Run 1: Failed",
        "Run 2 started",
        "Run 2: Failed",
        "Run 3 started",
        "Succeeded",
    ]
    waits = re.findall(r"after (\d+) ms", text)
    assert len([wait for wait in waits if int(wait) >= 15]) >= 2
    rows = re.findall(r'<th scope="row"[^>]*>(\d)</th>', text)
    assert rows == ["3", "2", "1"]
    assert text.count("ValueError: not yet") == 2


def test_a_delayed_job_and_one_between_two_runs_say_when_the_next_run_is(site: Site) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("not today")

    pool = site.task("mail", handler, attempts=1, attempt_after=600_000)
    failing = added(pool)
    delayed = pool.using(on_commit=False, run_after=600).add()
    until(lambda: pool.metrics()["retried"])

    first, second = (words(job_page(viewer(), pool, one)) for one in (failing, delayed))

    assert "Retrying attempt 1 of 2" in first
    assert re.search(r"Run 1: Failed after .* Next run after (9 min \d+ s|10 min)", first)
    assert re.search(r"Delayed .* Added .* Due after (9 min \d+ s|10 min)", second)
    assert "It has not run yet." in second


def test_a_job_that_was_cancelled_in_its_run_and_one_before_it(site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", gate, worker_nums=1)
    running, waiting = added(pool), added(pool)
    gate.entered()
    pool.cancel(running)
    pool.cancel(waiting)

    first, second = (words(job_page(operator(), pool, one)) for one in (running, waiting))

    assert "Cancelled" in first
    assert "yao_tasks.errors.JobCancelled The job was cancelled." in first
    assert "It has not run yet." in second


def test_the_end_of_the_last_run_is_that_of_the_job(site: Site) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("no")

    pool = site.task("mail", handler)
    job_id = added(pool)
    pool.wait(job_id, 5)
    until(lambda: diary.attempts("mail", job_id))

    text = job_page(viewer(), pool, job_id).partition("yt-timeline")[2].partition("</ol>")[0]

    assert re.findall(r"<span>([^<]+)</span>", text) == ["Added", "Run 1 started", "Failed"]


def test_runs_that_nobody_remembers_are_counted(site: Site) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("no")

    pool = site.task("mail", handler, attempts=2, attempt_after=0)
    job_id = added(pool)
    pool.wait(job_id, 5)
    until(lambda: len(diary.attempts("mail", job_id)) == 3)
    diary.clear()

    assert "2 runs aren't remembered any more." in words(job_page(viewer(), pool, job_id))


def test_arguments_result_and_log_are_for_those_who_may_see_them(site: Site) -> None:
    def handler(job_id: int, address: str, **rest: Any) -> Any:
        foreign.warning("sent to %s", address)
        return {"to": address}

    pool = site.task("mail", handler)
    job_id = added(pool, "ada@example.org", note="hello")
    pool.wait(job_id, 5)

    plain, full = job_page(operator(), pool, job_id), job_page(auditor(), pool, job_id)

    assert "ada@example.org" not in plain
    text = words(full)
    assert "Arguments address 'ada@example.org' Copy note 'hello' Copy" in text.replace("&#x27;", "'")
    assert "Result {'to': 'ada@example.org'}" in text.replace("&#x27;", "'")
    assert re.search(r"WARNING accounts\.mail sent to ada@example\.org", text)


def test_a_log_of_an_earlier_job_under_the_same_id_is_not_shown(site: Site) -> None:
    def handler(job_id: int, word: str) -> None:
        foreign.warning("it was %s", word)

    pool = site.task("mail", handler, event={"next": lambda: 7}, retention=0)
    added(pool, "earlier")
    until(lambda: not pool.jobs and diary.lines("mail", 7))
    for line in diary.lines("mail", 7):
        object.__setattr__(line, "at", line.at - 60)
    pool.pause()
    added(pool, "later")

    text = job_page(auditor(), pool, 7)

    assert "it was earlier" not in text
    assert "Nothing has been logged." in text


@pytest.mark.parametrize("end", ["success", "failure", "retry", "timeout"])
def test_a_secret_argument_shows_nowhere(end: str, site: Site) -> None:
    """S2: pages, fragments and texts; by key, by the name of the handler's parameter, and inside of values."""
    gate = site.gate()

    def handler(job_id: int, user: str, api_token: str, options: Any, password: str = "") -> Any:
        foreign.warning("logging in with %s", password)
        current_job().progress(1, 2, f"using {password}")  # type: ignore[union-attr]
        if end == "timeout":
            gate(job_id)
        if end != "success":
            raise ValueError(f"refused: {password}")
        return {"session_key": password, "said": f"hello {password}"}

    keys = {"attempts": 1, "attempt_after": 600_000} if end == "retry" else {}
    pool = site.task("mail", handler, timeout=0.1 if end == "timeout" else 10, **keys)
    nested = {"login": [{"PASSWORD": SECRET}], "kept": 1}
    job_id = added(pool, "ada", SECRET, nested, password=SECRET)
    if end == "retry":
        until(lambda: pool.metrics()["retried"])
    else:
        pool.wait(job_id, 5)
    for who in (auditor(), operator(), viewer()):
        text = job_page(who, pool, job_id) + job_page(who, pool, job_id, fragment=True)
        for name in ("changelist", "fragment"):
            text += read(who, reverse(f"admin:yao_tasks_dashboard_{name}"))

        assert SECRET not in text
        if "Arguments" in text:
            assert "&#x27;ada&#x27;" in text
            assert "&#x27;kept&#x27;: 1" in text
            assert text.count("••••••") >= 6
    assert SECRET not in repr(pool) + repr(current_job())


def test_redact_says_what_is_secret(site: Site, settings: Any) -> None:
    pool = site.task("mail", lambda job_id, **kwargs: None)
    settings.YAO_TASKS = {**settings.YAO_TASKS, "REDACT": ["iban"]}
    job_id = added(pool, IBAN="DE0000000", password="shown")

    text = job_page(auditor(), pool, job_id)

    assert "DE0000000" not in text
    assert "shown" in text


def test_an_argument_that_cannot_be_shown_costs_no_page(site: Site) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise KeyError("odd")

    loop: list[Any] = []
    loop.append(loop)
    pool = site.task("mail", lambda job_id, *args: None)
    job_id = added(pool, Odd(), loop, "x" * 100_000, 10**5_000)

    text = job_page(auditor(), pool, job_id)

    assert "&lt;Odd instance at" in text
    assert len(text) < 100_000


def test_script_in_every_field_is_text(site: Site) -> None:
    """S1: in name, message, result, error, arguments, log and their names."""

    def handler(job_id: int, *args: Any, **kwargs: Any) -> Any:
        current_job().progress(1, 2, PAYLOAD)  # type: ignore[union-attr]
        logging.getLogger(PAYLOAD).warning(PAYLOAD)
        if args[0] == "fail":
            raise ValueError(PAYLOAD)
        return PAYLOAD

    pool = site.task("mail", handler, name=PAYLOAD)
    for word in ("fail", "work"):
        job_id = added(pool, word, PAYLOAD, **{PAYLOAD: PAYLOAD})
        pool.wait(job_id, 5)
        for fragment in (False, True):
            text = job_page(auditor(), pool, job_id, fragment=fragment)

            # Message (twice), argument, its name, result or error with traceback, logger, line.
            assert text.count(escape(PAYLOAD)) >= 7
            assert "<img" not in text
            assert "<script>" not in text


@pytest.mark.parametrize(
    ("task", "job_id", "status", "sentence"),
    [
        ("mail", 12, 404, "There is no job 12 of mail here."),
        ("mail", 10**30, 404, "There is no job"),
        ("nobody", 12, 404, "There is no task nobody."),
        ("wrong", 12, 404, "The task wrong can't be used:"),
    ],
)
def test_what_is_not_there_is_said_on_a_page(
    task: str, job_id: int, status: int, sentence: str, site: Site
) -> None:
    site.task("mail", lambda job_id: None)
    site.task("wrong", lambda job_id: None, size=-1)
    url = reverse("admin:yao_tasks_dashboard_job", args=[task, job_id])
    client = viewer()

    whole, fragment = client.get(url), client.get(f"{url}fragment/")

    assert whole.status_code == fragment.status_code == status
    assert sentence in whole.content.decode().replace("&#x27;", "'")
    assert "Back to the overview" in whole.content.decode()
    assert fragment.content.decode().startswith(sentence)


def test_what_has_not_changed_is_304(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    job_id = added(pool)
    pool.wait(job_id, 5)
    client = viewer()
    url = reverse("admin:yao_tasks_dashboard_job_fragment", args=["mail", job_id])
    etag = client.get(url)["ETag"]

    assert client.get(url, headers={"if-none-match": etag}).status_code == 304


def test_actions_are_those_that_fit(site: Site) -> None:
    def handler(job_id: int, fails: bool) -> None:
        if fails:
            raise ValueError("no")

    pool = site.task("mail", handler)
    good, bad = added(pool, False), added(pool, True)
    pool.wait(good, 5)
    pool.wait(bad, 5)
    pool.pause()
    waiting = added(pool, False)

    drawn = [
        [verb for verb in ("cancel", "retry", "duplicate") if steer_url(verb, "mail", one) in text]
        for one in (good, bad, waiting)
        for text in (job_page(operator(), pool, one),)
    ]

    assert drawn == [["duplicate"], ["retry", "duplicate"], ["cancel", "duplicate"]]
    assert steer_url("duplicate", "mail", good) not in job_page(viewer(), pool, good)


def test_a_duplicate_is_a_new_job_with_the_same_arguments(site: Site) -> None:
    pool = site.task("mail", lambda job_id, *args, **kwargs: [args, kwargs])
    job_id = added(pool, 1, two=2)
    pool.wait(job_id, 5)

    (sentence,) = said_after(operator(), steer_url("duplicate", "mail", job_id))

    (new,) = (int(found) for found in re.findall(r"it is job (\d+)\.", sentence))
    assert new != job_id
    assert pool.wait(new, 5).response == [(1,), {"two": 2}]
    assert logged() == [f"Duplicated job {job_id} of mail: job {new}."]


def test_a_duplicate_that_is_refused_or_of_nothing_is_said(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None, unique=True)
    pool.pause()
    job_id = added(pool)
    client = operator()

    refused = said_after(client, steer_url("duplicate", "mail", job_id))
    missing = said_after(client, steer_url("duplicate", "mail", 12))

    assert refused == [
        f"Job {job_id} of mail was not duplicated. Job {job_id} has the same arguments or key."
    ]
    assert missing == ["There is no job 12 of mail here. It may have ended and been forgotten."]
    assert logged() == []


def test_a_job_is_steered_from_its_page_and_back(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.pause()
    job_id = added(pool)
    here = reverse("admin:yao_tasks_dashboard_job", args=["mail", job_id])

    answer = operator().post(steer_url("cancel", "mail", job_id), {"next": here})

    assert answer["Location"] == here


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/admin/", "/admin/yao_tasks/dashboard/../../logout/"],
)
def test_nobody_is_led_elsewhere(elsewhere: str, site: Site) -> None:
    site.task("mail", lambda job_id: None)

    answer = operator().post(steer_url("pause", "mail"), {"next": elsewhere})

    assert answer["Location"] == "/admin/yao_tasks/dashboard/?page=1"
