"""What the tests of the dashboard share."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from yao_tasks.pools import Pool

OVERVIEW = "admin:yao_tasks_dashboard_changelist"
FRAGMENT = "admin:yao_tasks_dashboard_fragment"
CANCEL = "admin:yao_tasks_dashboard_cancel"

PAYLOAD = '"><img src=x onerror=1><script>alert(1)</script>'


def user(name: str, *permissions: str, **fields: Any) -> User:
    """A user with these permissions of ours."""
    one, _ = User.objects.get_or_create(username=name, defaults=fields)
    one.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert one.user_permissions.count() == len(permissions)
    return one


def client_of(who: User | None) -> Client:
    """A browser in which that user is logged in; None: nobody is."""
    client = Client()
    if who is not None:
        client.force_login(who)
    return client


def viewer() -> Client:
    """Somebody who may look."""
    return client_of(user("viewer", "view_jobs", is_staff=True))


def operator() -> Client:
    """Somebody who may look and steer."""
    return client_of(user("operator", "view_jobs", "operate_jobs", is_staff=True))


def page(client: Client, name: str = OVERVIEW, **query: Any) -> str:
    """The text of a page that must be there."""
    answer = client.get(reverse(name), query)
    assert answer.status_code == 200
    return answer.content.decode()


def read(client: Client, url: str, **query: Any) -> str:
    """The text at an address that must be there."""
    answer = client.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


def job_page(client: Client, pool: Pool, job_id: int, *, fragment: bool = False) -> str:
    """The text of a job's page, or of the part of it that is fetched again."""
    name = "admin:yao_tasks_dashboard_job" + ("_fragment" if fragment else "")
    return read(client, reverse(name, args=[pool.id, job_id]))


def added(pool: Pool, *args: Any, **kwargs: Any) -> int:
    """Add a job that starts at once, whatever transaction the test is in."""
    return pool.using(on_commit=False).add(*args, **kwargs)


def cancel_url(task: str, job_id: int) -> str:
    return reverse(CANCEL, args=[task, job_id])


def steer_url(verb: str, task: str, *job_id: int) -> str:
    """Where a form posts to: a verb for a pool, or for a job of it."""
    return reverse(f"admin:yao_tasks_dashboard_{verb}", args=[task, *job_id])


def said_after(client: Client, url: str, **data: Any) -> list[str]:
    """Post, follow the way back to the overview, and answer the sentences that stand there."""
    answer = client.post(url, {"page": "2", **data}, follow=True)
    assert answer.redirect_chain == [(f"{reverse(OVERVIEW)}?page=2", 302)]
    return [str(message) for message in answer.context["messages"]]


def logged() -> list[str]:
    """What the admin's log says was done."""
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
