"""The buttons that steer pools and failed jobs."""

import re
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from tests.conftest import Site
from tests.django.dashboard import (
    added,
    client_of,
    logged,
    operator,
    page,
    said_after,
    steer_url,
    user,
    viewer,
)
from yao_tasks.core.errors import DuplicateJob, JobNotFound, PoolClosed, PoolSaturated, QueueFull
from yao_tasks.engines.embedded import EmbeddedEngine
from yao_tasks.pools import Pool

pytestmark = pytest.mark.django_db

POOL_VERBS = ["pause", "resume", "resize", "purge"]
WHO: dict[str, Callable[[], User | None]] = {
    "anonymous": lambda: None,
    "user": lambda: user("user", "view_jobs", "operate_jobs"),
    "viewer": lambda: user("viewer", "view_jobs", is_staff=True),
    "blind operator": lambda: user("blind", "operate_jobs", is_staff=True),
}


def failed(pool: Pool) -> int:
    """The id of a job that has failed."""
    job_id = added(pool)
    assert pool.wait(job_id, 5).status == "FAILURE"
    return job_id


def fails(job_id: int) -> None:
    raise ValueError("row 17: no date")


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("verb", [*POOL_VERBS, "retry"])
def test_only_staff_with_operate_jobs_can_steer(verb: str, who: str, site: Site) -> None:
    pool = site.task("mail", fails)
    job_ids = [failed(pool)] if verb == "retry" else []

    answer = client_of(WHO[who]()).post(steer_url(verb, "mail", *job_ids), {"worker_nums": "5"})

    if who in ("anonymous", "user"):
        assert answer["Location"].startswith("/admin/login/")
    else:
        assert answer.status_code == 403
    metrics = pool.metrics()
    assert (metrics["paused"], metrics["worker_nums"], metrics["waiting"]) == (False, 2, 0)
    assert logged() == []


@pytest.mark.parametrize("verb", POOL_VERBS)
def test_a_refusal_comes_before_anything_is_looked_up(verb: str, site: Site) -> None:
    assert viewer().post(steer_url(verb, "no.such.task")).status_code == 403


def test_who_may_not_steer_sees_no_confirm_page(site: Site) -> None:
    site.task("mail", fails)

    assert viewer().get(steer_url("purge", "mail")).status_code == 403


@pytest.mark.parametrize("verb", ["pause", "resume", "resize", "retry"])
def test_nothing_is_done_by_get(verb: str, site: Site) -> None:
    site.task("mail", fails)

    job_ids = [1] if verb == "retry" else []
    assert operator().get(steer_url(verb, "mail", *job_ids)).status_code == 405


@pytest.mark.parametrize("verb", [*POOL_VERBS, "retry"])
def test_steering_asks_for_the_forms_token(verb: str, site: Site) -> None:
    pool = site.task("mail", fails)
    job_ids = [failed(pool)] if verb == "retry" else []
    client = Client(enforce_csrf_checks=True)
    client.force_login(user("operator", "view_jobs", "operate_jobs", is_staff=True))

    assert client.post(steer_url(verb, "mail", *job_ids), {"worker_nums": "5"}).status_code == 403
    assert pool.metrics()["worker_nums"] == 2


@pytest.mark.parametrize("verb", POOL_VERBS)
def test_a_task_that_is_unknown_or_at_fault_is_not_found(verb: str, site: Site) -> None:
    site.task("wrong", fails, worker_nums=0)
    client = operator()

    assert client.post(steer_url(verb, "wrong")).status_code == 404
    assert client.post(steer_url(verb, "no.such.task")).status_code == 404


@pytest.mark.parametrize("verb", [*POOL_VERBS, "cancel", "retry"])
def test_what_an_engine_cant_do_has_no_button_and_no_view(
    verb: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = site.gate()

    def handler(job_id: int, kind: str) -> None:
        if kind == "bad":
            raise ValueError("bad")
        gate(job_id)

    pool = site.task("mail", handler, worker_nums=1)
    bad = added(pool, "bad")
    pool.wait(bad, 5)
    running = added(pool, "slow")
    gate.entered()
    added(pool, "slow")
    job_ids = {"cancel": [running], "retry": [bad]}.get(verb, [])
    client = operator()
    if verb == "resume":
        pool.pause()
    assert steer_url(verb, "mail", *job_ids) in page(client)
    assert steer_url(verb, "mail", *job_ids) not in page(viewer())

    monkeypatch.setattr(
        EmbeddedEngine, "supports", EmbeddedEngine.supports - {"pause" if verb == "resume" else verb}
    )

    assert steer_url(verb, "mail", *job_ids) not in page(client)
    assert client.post(steer_url(verb, "mail", *job_ids)).status_code == 404


def test_a_paused_pool_says_so_fills_and_goes_on_when_resumed(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    client = operator()

    paused = said_after(client, steer_url("pause", "mail"))
    ids = [added(pool) for _ in range(3)]
    text = page(client)
    resumed = said_after(client, steer_url("resume", "mail"))

    assert paused == ["Paused mail: what runs goes on, and new jobs wait until you resume it."]
    assert re.search(
        r'yt-word amber">\s*<svg[^>]*><use href="#yt-paused">.*?</svg>\s*Paused', text, re.DOTALL
    )
    assert "3 of 100" in text
    assert steer_url("resume", "mail") in text
    assert steer_url("pause", "mail") not in text
    assert resumed == ["Resumed mail."]
    assert {pool.wait(job_id, 5).status for job_id in ids} == {"SUCCESS"}
    assert logged() == ["Paused mail.", "Resumed mail."]


def test_what_is_so_already_is_said_and_not_logged(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    client = operator()

    resumed = said_after(client, steer_url("resume", "mail"))
    pool.pause()
    paused = said_after(client, steer_url("pause", "mail"))

    assert (resumed, paused) == (["mail was not paused."], ["mail was paused already."])
    assert logged() == []


def test_a_pool_is_given_one_worker_more_or_fewer(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    client = operator()
    buttons = re.findall(r'name="worker_nums" value="(\d+)"', page(client))

    more = said_after(client, steer_url("resize", "mail"), worker_nums=buttons[1])
    fewer = said_after(client, steer_url("resize", "mail"), worker_nums=1)

    assert buttons == ["1", "3"]
    assert more == ["Resized mail from 2 to 3 workers."]
    assert fewer == ["Resized mail from 3 to 1 workers."]
    assert pool.metrics()["worker_nums"] == 1
    assert logged() == [*more, *fewer]
    assert "0 of 1" in page(client)


@pytest.mark.parametrize(
    ("workers", "disabled"), [(1, [True, False]), (2, [False, False]), (1000, [False, True])]
)
def test_there_is_no_worker_fewer_than_one_and_none_beyond_a_thousand(
    workers: int, disabled: list[bool], site: Site
) -> None:
    site.task("mail", lambda job_id: None, worker_nums=workers)

    buttons = re.findall(r'<button [^>]*name="worker_nums"[^>]*>', page(operator()))

    assert ["disabled" in button for button in buttons] == disabled


@pytest.mark.parametrize("wanted", ["0", "-1", "1001", "", "x", "1.5", "9" * 5000])
def test_a_number_of_workers_that_cant_be_is_refused_with_a_sentence(wanted: str, site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)

    said = said_after(operator(), steer_url("resize", "mail"), worker_nums=wanted)

    assert said == ["mail was not resized: a pool has from 1 to 1,000 workers."]
    assert pool.metrics()["worker_nums"] == 2
    assert logged() == []


def test_a_failed_job_is_tried_again_under_its_id(site: Site) -> None:
    runs: list[int] = []

    def handler(job_id: int) -> None:
        runs.append(job_id)
        if len(runs) == 1:
            raise ValueError("not today")

    pool = site.task("mail", handler)
    job_id = failed(pool)

    said = said_after(operator(), steer_url("retry", "mail", job_id))

    assert said == [f"Retried job {job_id} of mail."]
    assert pool.wait(job_id, 5).status == "SUCCESS"
    assert runs == [job_id, job_id]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (f"mail/{job_id}", said[0])


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (QueueFull("full"), "Job {} of mail was not retried. The queue is full: try again later."),
        (PoolSaturated("stuck"), "Job {} of mail was not retried. All workers of the pool hang."),
        (PoolClosed("closed"), "Job {} of mail was not retried. The pool is closed."),
        (
            DuplicateJob("twin", job_id=7),
            "Job {} of mail was not retried. Job 7 has the same arguments or key.",
        ),
        (JobNotFound("gone"), "There is no job {} of mail here. It may have ended and been forgotten."),
        (ValueError("runs"), "Job {} of mail is no failure any more: only those can be retried."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_why_a_job_was_not_retried_is_said(
    error: Exception, sentence: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = site.task("mail", fails)
    job_id = failed(pool)

    def refuse(engine: EmbeddedEngine, job_id: int) -> None:
        raise error

    monkeypatch.setattr(EmbeddedEngine, "retry", refuse)

    assert said_after(operator(), steer_url("retry", "mail", job_id)) == [sentence.format(job_id)]
    assert logged() == []


def test_a_job_that_runs_again_already_is_no_failure_any_more(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    job_id = added(pool)
    pool.wait(job_id, 5)

    said = said_after(operator(), steer_url("retry", "mail", job_id))

    assert said == [f"Job {job_id} of mail is no failure any more: only those can be retried."]
