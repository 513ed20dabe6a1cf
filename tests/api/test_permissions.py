"""S6: who gets what, exactly."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import EVERYTHING, address, post
from tests.conftest import Site
from tests.django.dashboard import added, client_of, user

pytestmark = pytest.mark.django_db(transaction=True)

# Status of one's status and event stream; of an add and a cancel.
MATRIX: dict[str, tuple[tuple[str, ...], dict[str, Any], int, tuple[int, int]]] = {
    "user": ((), {}, 404, (403, 403)),
    "staff": ((), {"is_staff": True}, 404, (403, 403)),
    "view_jobs": (("view_jobs",), {}, 200, (403, 403)),
    "operate_jobs": (("operate_jobs",), {}, 404, (201, 200)),
    "view_job_args": (("view_job_args",), {}, 404, (403, 403)),
    "all three": (EVERYTHING, {}, 200, (201, 200)),
    "superuser": ((), {"is_superuser": True}, 200, (201, 200)),
    "inactive superuser": ((), {"is_superuser": True, "is_active": False}, 404, (403, 403)),
}


def codes(client: Client, site: Site, settings: Any) -> tuple[int, int, tuple[int, int]]:
    """What reading and writing is answered with."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "STREAMS": True}
    pool = site.task("job", site.gate())
    job_id = added(pool)
    stream = client.get(address(pool, job_id, "events/"), **{"wsgi.multithread": True})
    status = client.get(address(pool, job_id))
    stream.close()
    writing = (
        post(client, "/tasks/job/").status_code,
        post(client, address(pool, job_id, "cancel/")).status_code,
    )
    return status.status_code, stream.status_code, writing


@pytest.mark.parametrize("who", MATRIX)
def test_each_right_gives_its_own_and_no_more(site: Site, settings: Any, who: str) -> None:
    permissions, fields, reading, writing = MATRIX[who]
    client = client_of(user(who.replace(" ", "-"), *permissions, **fields))

    assert codes(client, site, settings) == (reading, reading, writing)


def test_nobody_in_particular_gets_nothing(site: Site, settings: Any) -> None:
    assert codes(Client(), site, settings) == (404, 404, (403, 403))


def test_a_site_without_users_shows_links_alone(site: Site, settings: Any) -> None:
    settings.MIDDLEWARE = []
    client = client_of(User.objects.create_superuser("root"))

    assert codes(client, site, settings) == (404, 404, (403, 403))
