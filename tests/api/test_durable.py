"""Durable jobs over HTTP: added, watched by their rows, cancelled."""

import asyncio
from typing import Any

import pytest
from django.test import Client

from tests.api.conftest import EVERYTHING, address, one_with, post
from tests.api.streams import Stream
from tests.conftest import SECONDS, Site
from yao_tasks import job_url
from yao_tasks.api import feeds
from yao_tasks.api.threads import close_connections

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _works(settings: Any, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RUN_DURABLE": True}
    monkeypatch.setattr(feeds, "LOOK_AT_ROWS", 0.05)


def test_a_durable_job_is_added_and_seen(site: Site) -> None:
    pool = site.task("job", lambda job_id, a: a + 1, durable=True)

    job_id = post(one_with(*EVERYTHING), "/tasks/job/", {"args": [1]}).json()["id"]
    pool.wait(job_id, SECONDS)

    assert Client().get(job_url("job", job_id)).json()["response"] == 2


def test_its_stream_ends_when_it_is_cancelled(site: Site) -> None:
    gate = site.gate()
    pool = site.task("job", gate, durable=True)
    job_id = pool.add()
    gate.entered()
    client = one_with(*EVERYTHING)

    def cancel() -> Any:
        try:
            return post(client, address(pool, job_id, "cancel/"))
        finally:
            # This thread's own.
            close_connections()

    async def follow() -> list[str]:
        async with Stream(job_url("job", job_id).replace("/?", "/events/?")) as stream:
            await stream.until(lambda: stream.events)
            answer = await asyncio.to_thread(cancel)
            assert answer.json()["cancelled"]
            return [event.name for event in await stream.end()]

    assert asyncio.run(follow()) == ["progress", "failure"]
