"""Who sees the dashboard, and who may steer."""

import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import reverse

from tests.conftest import Site, until
from tests.django.dashboard import (
    FRAGMENT,
    OVERVIEW,
    added,
    cancel_url,
    client_of,
    operator,
    page,
    user,
    viewer,
)
from yao_tasks.models import Dashboard

pytestmark = pytest.mark.django_db

WHO: dict[str, Callable[[], User | None]] = {
    "anonymous": lambda: None,
    "user": lambda: user("user", "view_jobs", "operate_jobs"),
    "staff": lambda: user("staff", is_staff=True),
    "viewer": lambda: user("viewer", "view_jobs", is_staff=True),
    "operator": lambda: user("operator", "view_jobs", "operate_jobs", is_staff=True),
    "blind operator": lambda: user("blind", "operate_jobs", is_staff=True),
    "superuser": lambda: User.objects.create_superuser("super"),
}
LOGIN = 302
LOOK = {
    "anonymous": LOGIN,
    "user": LOGIN,
    "staff": 403,
    "viewer": 200,
    "operator": 200,
    "blind operator": 403,
    "superuser": 200,
}
CANCEL = {**LOOK, "viewer": 403, "operator": 302, "superuser": 302}


def test_the_migration_is_complete() -> None:
    call_command("makemigrations", "yao_tasks", check=True, dry_run=True, verbosity=0)


def test_there_are_three_permissions_and_none_of_djangos_own() -> None:
    names = Permission.objects.filter(content_type__app_label="yao_tasks").values_list("codename", flat=True)

    assert set(names) == {"view_jobs", "operate_jobs", "view_job_args"}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("name", [OVERVIEW, FRAGMENT], ids=["page", "fragment"])
def test_only_staff_with_view_jobs_can_look(who: str, name: str, site: Site) -> None:
    answer = client_of(WHO[who]()).get(reverse(name))

    assert answer.status_code == LOOK[who]
    assert answer.status_code != LOGIN or answer["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("who", WHO)
def test_only_staff_with_operate_jobs_can_cancel(who: str, site: Site) -> None:
    pool = site.task("slow", site.gate())
    job_id = added(pool)

    answer = client_of(WHO[who]()).post(cancel_url("slow", job_id))

    assert answer.status_code == CANCEL[who]
    is_login = answer.status_code == LOGIN and answer["Location"].startswith("/admin/login/")
    assert (pool.get(job_id).status == "FAILURE") is (CANCEL[who] == 302 and not is_login)


def test_a_crafted_post_is_refused_before_anything_is_looked_up(site: Site) -> None:
    assert viewer().post(cancel_url("no.such.task", 1)).status_code == 403


@pytest.mark.parametrize(("who", "drawn"), [("viewer", False), ("operator", True), ("superuser", True)])
def test_the_button_is_drawn_for_those_who_may_use_it(who: str, drawn: bool, site: Site) -> None:
    pool = site.task("slow", site.gate())
    job_id = added(pool)

    text = page(client_of(WHO[who]()))

    assert (f'formaction="{cancel_url("slow", job_id)}"' in text) is drawn


@pytest.mark.parametrize(("who", "listed"), [("staff", False), ("blind operator", False), ("viewer", True)])
def test_the_index_lists_the_page_for_those_who_may_look(who: str, listed: bool) -> None:
    text = client_of(WHO[who]()).get("/admin/").content.decode()

    assert (reverse(OVERVIEW) in text) is listed
    assert "/add/" not in text


@pytest.mark.parametrize(("who", "looks"), [("staff", False), ("viewer", True), ("superuser", True)])
def test_the_admin_offers_to_look_and_nothing_else(who: str, looks: bool, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = WHO[who]()  # type: ignore[assignment]
    model_admin = admin.site.get_model_admin(Dashboard)

    assert model_admin.get_model_perms(request) == {
        "add": False,
        "change": False,
        "delete": False,
        "view": looks,
    }


def test_cancel_by_get_is_not_allowed(site: Site) -> None:
    pool = site.task("slow", site.gate())
    job_id = added(pool)

    assert operator().get(cancel_url("slow", job_id)).status_code == 405
    assert pool.cancel(job_id)


@pytest.mark.parametrize("name", [OVERVIEW, FRAGMENT])
def test_pages_to_look_at_take_no_post(name: str) -> None:
    assert viewer().post(reverse(name)).status_code == 405


def test_cancel_asks_for_the_forms_token(site: Site) -> None:
    pool = site.task("slow", site.gate())
    job_id = added(pool)
    client = Client(enforce_csrf_checks=True)
    client.force_login(WHO["operator"]())  # type: ignore[arg-type]
    refused = client.post(cancel_url("slow", job_id))
    token = re.search(r'id="yt-steer".*?name="csrfmiddlewaretoken" value="(\w+)"', page(client), re.DOTALL)
    assert token is not None

    done = client.post(cancel_url("slow", job_id), {"csrfmiddlewaretoken": token[1]})

    assert (refused.status_code, done.status_code) == (403, 302)


def test_a_cancel_says_so_on_the_page_it_came_from_and_is_logged(site: Site) -> None:
    pool = site.task("welcome_email", site.gate())
    job_id = added(pool)

    answer = operator().post(cancel_url("welcome_email", job_id), {"page": "2"}, follow=True)

    sentence = f"Cancelled job {job_id} of welcome_email."
    assert answer.redirect_chain == [(f"{reverse(OVERVIEW)}?page=2", 302)]
    assert [str(message) for message in answer.context["messages"]] == [sentence]
    error = pool.get(job_id).error
    assert error is not None
    assert error.kind == "cancelled"
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.action_flag, entry.get_change_message()) == (
        "operator",
        CHANGE,
        sentence,
    )
    # The index lists it with a link that leads to the job.
    link = operator().get(str(entry.get_admin_url()))
    assert link["Location"] == reverse("admin:yao_tasks_dashboard_job", args=["welcome_email", job_id])


def test_a_job_that_had_ended_already_is_said_and_not_logged(site: Site) -> None:
    pool = site.task("quick", lambda job_id: None)
    job_id = added(pool)
    pool.wait(job_id, 5)

    answer = operator().post(cancel_url("quick", job_id), follow=True)

    assert f"Job {job_id} of quick had ended already." in answer.content.decode()
    assert not LogEntry.objects.exists()


def test_a_job_that_is_forgotten_is_said(site: Site) -> None:
    pool = site.task("quick", lambda job_id: None, retention=0)
    job_id = added(pool)
    until(lambda: not pool.jobs)

    answer = operator().post(cancel_url("quick", job_id), follow=True)

    assert f"There is no job {job_id} of quick here." in answer.content.decode()


def test_a_job_of_another_process_is_said_with_that_processs_number(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = site.task("quick", lambda job_id: None)
    elsewhere = _block_of_another_process(site, monkeypatch)

    answer = operator().post(cancel_url("quick", elsewhere), follow=True)

    pool.close(0)
    assert "lives in the memory of process 1," in answer.content.decode()


@pytest.mark.parametrize("job_id", [0, 2**53, 10**30])
def test_what_can_be_no_jobs_id_is_as_unknown(job_id: int, site: Site) -> None:
    site.task("quick", lambda job_id: None)

    answer = operator().post(cancel_url("quick", job_id), follow=True)

    assert f"There is no job {job_id} of quick here." in answer.content.decode()


def test_a_task_that_is_unknown_or_at_fault_is_not_found(site: Site) -> None:
    site.task("wrong", lambda job_id: None, worker_nums=0)
    client = operator()

    wrong, missing = client.post(cancel_url("wrong", 1)), client.post(cancel_url("no.such.task", 1))

    assert (wrong.status_code, missing.status_code) == (404, 404)
    assert "The task wrong can&#x27;t be used:" in wrong.content.decode()
    assert "There is no task no.such.task." in missing.content.decode()


def _block_of_another_process(site: Site, monkeypatch: pytest.MonkeyPatch) -> int:
    """An id that process 1, which lives as long as the machine, has handed out."""
    from yao_tasks.core.ids import BLOCK, Ids

    ids = Ids(site.folder.parent / "state")
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: 1)
        job_id = ids.next()
    assert job_id > BLOCK
    return job_id
