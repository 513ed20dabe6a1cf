"""Durable tasks on the dashboard: rows for all processes, whoever answers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.conftest import Site, until
from tests.django.dashboard import job_page, logged, operator, page, said_after, steer_url, viewer
from tests.django.test_dashboard_page import words
from yao_tasks import boot
from yao_tasks.models import JobOwner, JobRecord, PausedTask
from yao_tasks.pools import Pool, tasks

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = "/admin/yao_tasks/dashboard/jobs/"


@pytest.fixture
def pool(site: Site, settings: Any) -> Iterator[Pool]:
    """A durable task that nobody runs, unless a test says so."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "POLL_INTERVAL": 0.2}
    yield site.task("mail", lambda job_id, word="": word, durable=True)
    boot.reset()


def test_jobs_are_listed_cancelled_added_and_duplicated(pool: Pool) -> None:
    first = pool.add("one")
    client = operator()

    assert f">{first}<" in page(client)
    assert "Waiting" in job_page(client, pool, first)
    (added,) = said_after(client, steer_url("add_job", "mail"), args='["two"]')
    (like,) = said_after(client, steer_url("duplicate", "mail", first))
    (cancelled,) = said_after(client, steer_url("cancel", "mail", first))

    assert added.startswith("Added job ")
    assert like.startswith(f"Duplicated job {first} of mail")
    assert cancelled == f"Cancelled job {first} of mail."
    assert sorted(info.args[0] for info in pool.search()) == ["one", "one", "two"]
    assert pool.get(first).error.kind == "cancelled"  # type: ignore[union-attr]


def test_what_nobody_runs_is_said_until_somebody_does(pool: Pool) -> None:
    job_id = pool.add("one")
    JobRecord.objects.update(added_at=timezone.now() - timedelta(minutes=5))

    text = page(viewer())
    boot.house().work()
    until(lambda: pool.get(job_id).status == "SUCCESS")

    assert "no process runs them: start runtasks." in text
    # The numbers of rows are a second old at most.
    until(lambda: "no process runs them" not in page(viewer()))


def test_a_pause_is_a_row_with_the_name_of_who_paused(pool: Pool) -> None:
    client = operator()

    said = said_after(client, steer_url("pause", "mail"))
    text = words(page(client))
    again = said_after(client, steer_url("pause", "mail"))
    resumed = said_after(client, steer_url("resume", "mail"))

    assert said[0].startswith("Paused mail")
    assert PausedTask.objects.count() == 0
    assert "was paused for all processes by operator, under 1 min ago." in text
    assert again == ["mail was paused already."]
    assert resumed == ["Resumed mail."]
    assert logged() == ["Paused mail.", "Resumed mail."]


def test_the_pause_of_another_process_is_shown_and_taken_back(pool: Pool) -> None:
    PausedTask.objects.create(task="mail", paused_at=timezone.now() - timedelta(hours=2))
    client = operator()

    text = words(page(client))

    assert "was paused for all processes, 2 h ago." in text
    assert said_after(client, steer_url("resume", "mail")) == ["Resumed mail."]
    assert not PausedTask.objects.exists()


def test_all_are_paused_in_somebodys_name(pool: Pool) -> None:
    client = operator()

    client.post("/admin/yao_tasks/dashboard/pools/all/pause/")

    assert PausedTask.objects.get().paused_by == "operator"


def test_what_runs_in_another_process_is_on_the_overview_too(pool: Pool) -> None:
    job_id = pool.add("one")
    owner = JobOwner.objects.create(
        machine="other", boot="1", pid_space="1", pid=1, born="1", host="vm", started_at=timezone.now()
    )
    JobRecord.objects.update(status=2, owner=owner, started_at=timezone.now(), attempt=1, durable=True)

    text = words(page(viewer()))

    assert "1 running, 0 waiting" in text
    assert str(job_id) in text
    assert tasks["mail"].metrics()["running"] == 0
