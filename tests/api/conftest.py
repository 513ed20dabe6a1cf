"""What the tests of the API share: no user's past adds, no health that was found before, and less patience."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import translation

from tests.django.dashboard import client_of, user
from yao_tasks.api import finding, health, rates
from yao_tasks.pools import Pool

EVERYTHING = ("view_jobs", "operate_jobs", "view_job_args")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(finding, "PATIENCE", 0.02)
    monkeypatch.setattr(finding, "_hold_ups", finding.HoldUps(left=10.0, at=time.monotonic()))
    rates.forget()
    health.forget()
    yield
    translation.deactivate()


def address(pool: Pool, job_id: int, what: str = "") -> str:
    """Where a job is, or something of it."""
    return f"/tasks/{pool.id}/{job_id}/{what}"


def one_with(*permissions: str) -> Client:
    """A browser of somebody with these permissions."""
    return client_of(user("-".join(permissions) or "nobody", *permissions))


def post(client: Client, url: str, body: Any = None, **options: Any) -> HttpResponse:
    """Send a body as JSON, or as the bytes that it is."""
    data = body if isinstance(body, bytes | str) else json.dumps({} if body is None else body)
    return client.post(url, data, content_type="application/json", **options)


def sentence(answer: HttpResponse) -> str:
    """What an error says; it is JSON, and kept out of caches."""
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"].startswith("no-store")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    body = json.loads(answer.content)
    assert body.keys() == {"error"}
    return str(body["error"])
