"""`GET health/`: 200, or 503; the reasons for those who may view jobs. F21."""

from typing import Any

import pytest
from django.test import Client

from tests.api.conftest import one_with
from tests.conftest import Site, until
from tests.django.dashboard import added
from yao_tasks.api import health

pytestmark = pytest.mark.django_db
URL = "/tasks/health/"


def test_all_is_well(site: Site) -> None:
    site.task("job", lambda job_id: None)

    assert (Client().get(URL).status_code, Client().get(URL).json()) == (200, {"status": "healthy"})
    assert one_with("view_jobs").get(URL).json() == {"status": "healthy", "reasons": []}


@pytest.mark.slow
def test_a_pool_all_of_whose_workers_hang_is_unhealthy(site: Site) -> None:
    gate = site.gate()
    pool = site.task("job", gate, worker_nums=1, timeout=0.05)
    for _ in range(2):
        added(pool)
    until(lambda: pool.metrics()["stuck"] == 2, "all to hang")

    nobody, viewer = Client().get(URL), one_with("view_jobs").get(URL)

    assert (nobody.status_code, nobody.json()) == (503, {"status": "unhealthy"})
    assert [one["task"] for one in viewer.json()["reasons"]] == ["job"]


def test_one_worker_that_hangs_is_no_reason(site: Site) -> None:
    gate = site.gate()
    pool = site.task("job", gate, worker_nums=2, timeout=0.05)
    added(pool)
    until(lambda: pool.metrics()["stuck"] == 1, "one to hang")

    assert Client().get(URL).status_code == 200


def test_a_task_at_fault_is_unhealthy(site: Site) -> None:
    site.task("job", lambda job_id: None, process="nowhere.at_all")

    assert "fault" in one_with("view_jobs").get(URL).json()["reasons"][0]["reason"]


def test_jobs_that_nobody_takes_are_unhealthy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = site.task("job", lambda job_id: None)
    numbers = {**pool.metrics(), "oldest_waiting": 61.0}
    monkeypatch.setattr("yao_tasks.pools.Pool.metrics", lambda self: numbers)

    paused = numbers | {"paused": True}
    assert Client().get(URL).status_code == 503
    health.forget()
    monkeypatch.setattr("yao_tasks.pools.Pool.metrics", lambda self: paused)
    assert Client().get(URL).status_code == 200


def test_a_flood_of_questions_looks_once_a_second(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.task("job", lambda job_id: None)
    looks = []

    def read_all() -> list[Any]:
        looks.append(1)
        return []

    monkeypatch.setattr(health, "read_all", read_all)
    for _ in range(20):
        Client().get(URL)

    assert len(looks) == 1


def test_other_methods_are_refused(site: Site) -> None:
    assert Client().post(URL).status_code == 405
    assert Client().head(URL).status_code == 200
