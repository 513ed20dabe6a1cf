"""Both parts of the admin on a site of one's own, under another path: every link stays there."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.urls import clear_url_caches, path, set_urlconf

from tests.conftest import Site, until
from tests.django.dashboard import client_of
from tests.journal.conftest import written
from yao_tasks import boot
from yao_tasks.admin import DashboardAdmin, HistoryAdmin
from yao_tasks.models import Dashboard, JobRecord

pytestmark = pytest.mark.django_db(transaction=True)

office = AdminSite(name="office")
office.register(Dashboard, DashboardAdmin)
office.register(JobRecord, HistoryAdmin)
urlpatterns = [path("back/office/", office.urls)]

URL = "/back/office/yao_tasks/"


@pytest.fixture
def _at_another_path(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    clear_url_caches()
    yield
    set_urlconf(None)
    clear_url_caches()


@pytest.mark.usefixtures("_at_another_path")
def test_every_page_links_within_its_own_site(site: Site) -> None:
    def fail(job_id: int) -> None:
        raise ValueError("once")

    pool = site.task("mail", fail, record=True)
    job_id = pool.add()
    pool.wait(job_id, 5)
    until(lambda: pool.metrics()["kept"]["raised"])
    written()
    client = client_of(User.objects.create_superuser("super"))
    pages = ["dashboard/", "dashboard/jobs/", "dashboard/processes/", "dashboard/mail/pool/"]
    pages += [f"dashboard/mail/{job_id}/", "jobrecord/", f"jobrecord/mail_2F{job_id}/change/"]

    for page in pages:
        answer = client.get(URL + page)
        assert answer.status_code == 200, page
        links = re.findall(r'(?:href|formaction|data-url)="(/[^"]*)"', answer.content.decode())
        inside = [link for link in links if link.startswith(URL)]
        assert inside, page
        strange = [link for link in links if not link.startswith(("/back/office/", "/static/"))]
        assert set(strange) <= {"/"}, page
    done = client.post(f"{URL}dashboard/mail/{job_id}/retry/", {"next": f"{URL}dashboard/jobs/"})
    assert done["Location"] == f"{URL}dashboard/jobs/"
    boot.reset()
