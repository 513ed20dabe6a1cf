"""S5, S6: every address of the dashboard, for everyone who may come, by every method."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tests.conftest import Site
from tests.django.dashboard import added, client_of, page, user
from yao_tasks.dashboard.routes import routes
from yao_tasks.models import Dashboard
from yao_tasks.pools import Pool
from yao_tasks.workflows import chain, latest

pytestmark = pytest.mark.django_db

SECRET = "hunter2-9f3"
RIGHTS = ("view_jobs", "operate_jobs", "view_job_args")

WHO: dict[str, Callable[[], User | None]] = {
    "anonymous": lambda: None,
    "user": lambda: user("plain", *RIGHTS),
    "staff": lambda: user("staff", is_staff=True),
    "args only": lambda: user("args", "view_job_args", is_staff=True),
    "operate only": lambda: user("blind", "operate_jobs", is_staff=True),
    "viewer": lambda: user("viewer", "view_jobs", is_staff=True),
    "auditor": lambda: user("auditor", "view_jobs", "view_job_args", is_staff=True),
    "operator": lambda: user("operator", "view_jobs", "operate_jobs", is_staff=True),
    "superuser": lambda: User.objects.create_superuser("super"),
}
MAY_LOOK = ("viewer", "auditor", "operator", "superuser")
MAY_OPERATE = ("operator", "superuser")
TO_LOGIN = ("anonymous", "user")

# By the name of the address: what is done by GET, and by POST.
LOOKS = (
    "changelist",
    "fragment",
    "jobs",
    "jobs_fragment",
    "export",
    "job",
    "job_fragment",
    "pool",
    "pool_fragment",
    "processes",
    "processes_fragment",
    "diagnosis",
    "diagnosis_fragment",
    "workflows",
    "workflows_fragment",
    "workflow",
    "workflow_fragment",
    "change",
)
FORMS = ("purge", "add_job")
STEERS = (
    "bulk",
    "cancel",
    "retry",
    "duplicate",
    "pause",
    "resume",
    "resize",
    "pause_all",
    "resume_all",
    "cancel_workflow",
)


def names() -> list[str]:
    """Every name of an address, asked of the addresses themselves."""
    found = [str(pattern.name) for pattern in routes(lambda view: view)]
    return [name.removeprefix("yao_tasks_dashboard_") for name in found]


def url_of(name: str, job_id: int) -> str:
    choices: list[list[Any]] = [[], ["mail"], ["mail", job_id], ["cancel"]]
    if name == "bulk":
        choices = [["cancel"]]
    if "workflow" in name and "workflows" not in name:
        choices = [[latest()[0].id]]
    for args in choices:
        try:
            return reverse(f"admin:yao_tasks_dashboard_{name}", args=args)
        except NoReverseMatch:
            continue
    raise AssertionError(name)


@pytest.fixture
def waiting(site: Site) -> tuple[Pool, int]:
    """A pool and a job that waits in it."""
    other = site.task("other", lambda job_id: None)
    pool = site.task("mail", lambda job_id, password: None)
    pool.pause()
    chain(other.using(run_after=3600).call())
    return pool, added(pool, SECRET)


def untouched(pool: Pool, job_id: int) -> bool:
    numbers = pool.metrics()
    return (
        pool.get(job_id).status == "WAITING"
        and numbers["paused"]
        and (numbers["worker_nums"], numbers["added"]) == (2, 1)
        and latest()[0].status == "WAITING"
        and not LogEntry.objects.exists()
    )


def test_every_address_is_looked_at_here() -> None:
    assert sorted(names()) == sorted([*LOOKS, *FORMS, *STEERS])


@pytest.mark.parametrize("who", WHO)
def test_who_may_get_what(who: str, waiting: tuple[Pool, int]) -> None:
    pool, job_id = waiting
    client = client_of(WHO[who]())
    wanted = {}
    for name in [*LOOKS, *FORMS, *STEERS]:
        allowed = MAY_LOOK if name in LOOKS else MAY_OPERATE
        seen = 200 if name != "change" else 302
        wanted[name] = 302 if who in TO_LOGIN else 405 if name in STEERS else seen if who in allowed else 403

    answers = {name: client.get(url_of(name, job_id)) for name in wanted}

    assert {name: answer.status_code for name, answer in answers.items()} == wanted
    assert untouched(pool, job_id)
    if who in TO_LOGIN:
        assert all(answer["Location"].startswith("/admin/login/") for answer in answers.values())


@pytest.mark.parametrize("who", [who for who in WHO if who not in MAY_OPERATE])
def test_a_crafted_post_changes_nothing(who: str, waiting: tuple[Pool, int]) -> None:
    pool, job_id = waiting
    client = client_of(WHO[who]())
    data = {"confirmed": "1", "all": "1", "filter": "?", "worker_nums": "7", "args": '["x"]', "delayed": "on"}

    answers = {name: client.post(url_of(name, job_id), data) for name in [*FORMS, *STEERS]}

    assert {answer.status_code for answer in answers.values()} == {302 if who in TO_LOGIN else 403}
    assert untouched(pool, job_id)


def test_what_is_to_look_at_takes_no_post(waiting: tuple[Pool, int]) -> None:
    _, job_id = waiting
    client = client_of(WHO["superuser"]())

    assert {client.post(url_of(name, job_id)).status_code for name in LOOKS} == {405}


def test_every_post_asks_for_the_forms_token(waiting: tuple[Pool, int]) -> None:
    pool, job_id = waiting
    client = Client(enforce_csrf_checks=True)
    client.force_login(WHO["superuser"]())  # type: ignore[arg-type]

    refused = {client.post(url_of(name, job_id)).status_code for name in [*FORMS, *STEERS]}

    assert refused == {403}
    assert untouched(pool, job_id)
    token = re.search(r'id="yt-steer".*?name="csrfmiddlewaretoken" value="(\w+)"', page(client), re.DOTALL)
    assert token is not None
    assert client.post(url_of("cancel", job_id), {"csrfmiddlewaretoken": token[1]}).status_code == 302
    assert pool.get(job_id).status == "FAILURE"


@pytest.mark.parametrize("who", MAY_OPERATE)
def test_each_thing_that_is_done_is_in_the_admins_log(who: str, waiting: tuple[Pool, int]) -> None:
    _, job_id = waiting
    client = client_of(WHO[who]())
    doings: list[tuple[str, dict[str, str]]] = [
        ("duplicate", {}),
        ("add_job", {"args": '["x"]'}),
        ("cancel", {}),
        ("cancel_workflow", {}),
        ("retry", {}),
        ("bulk", {"confirmed": "1", "job": f"mail/{job_id}"}),
        ("purge", {}),
        ("resize", {"worker_nums": "3"}),
        ("resume", {}),
        ("pause", {}),
        ("resume_all", {}),
        ("pause_all", {}),
    ]

    counts = []
    for name, data in doings:
        assert client.post(url_of(name, job_id), data).status_code == 302
        counts.append(LogEntry.objects.count())

    # The last is done to two pools.
    assert counts == [*range(1, len(doings)), len(doings) + 1]
    assert {name for name, _ in doings} == {*FORMS, *STEERS}
    told = " ".join(entry.get_change_message() for entry in LogEntry.objects.all())
    # S2: never what a job was given.
    assert SECRET not in told


def test_the_model_grants_our_three_permissions_only() -> None:
    meta = Dashboard._meta

    assert [name for name, _ in meta.permissions] == list(RIGHTS)
    assert meta.default_permissions == ()
    assert admin.site.is_registered(Dashboard)
