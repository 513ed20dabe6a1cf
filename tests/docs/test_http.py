"""docs/http.md: the examples with fetch, htmx and Django REST framework do what the words around them say."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from tests.conftest import SECONDS, until
from tests.docs.shop import Steps, ada, module, needs, row_of, shop, steps
from yao_tasks import tasks

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["ada", "row_of", "shop", "steps"]


def test_a_view_hands_out_the_link(shop: Path, steps: Steps, ada: User) -> None:
    client = Client()
    client.force_login(ada)

    url = client.post("/start/").json()["url"]

    assert Client().get(url).json()["status"] in ("WAITING", "RUNNING")


def test_htmxs_piece_of_a_page_is_its_users_own_and_ends_with_the_job(
    shop: Path, steps: Steps, ada: User, row_of: Callable[..., Any], settings: Any
) -> None:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [shop / "shop" / "templates"]}]
    pool = tasks["import_csv"]
    row = row_of(ada, pool.add())
    client, stranger = Client(), Client()
    client.force_login(ada)
    stranger.force_login(User.objects.create_user("bob"))
    running = client.get(f"/progress/{row.pk}/").content.decode()
    for _ in range(2):
        steps.go.release()
    pool.wait(row.job_id, SECONDS)
    ended = client.get(f"/progress/{row.pk}/").content.decode()

    assert f'hx-get="/progress/{row.pk}/"' in running
    assert 'value="100"' in ended
    assert "hx-get" not in ended
    assert stranger.get(f"/progress/{row.pk}/").status_code == 404


@pytest.mark.slow
def test_rest_framework_shows_and_cancels_ones_own(
    shop: Path, steps: Steps, ada: User, row_of: Callable[..., Any]
) -> None:
    needs("rest_framework")
    test = importlib.import_module("rest_framework.test")
    view = module("api").ImportView.as_view()
    pool = tasks["import_csv"]
    row = row_of(ada, pool.add())

    def ask(method: str, user: User | None) -> Any:
        request = getattr(RequestFactory(), method)("/")
        if user is not None:
            test.force_authenticate(request, user)
        return view(request, pk=row.pk)

    until(lambda: ask("get", ada).data["message"] == "step 0")
    answers = [ask("get", None), ask("get", User.objects.create_user("bob")), ask("delete", ada)]

    assert [answer.status_code for answer in answers] == [403, 404, 204]
    assert pool.get(row.job_id).error.kind == "cancelled"  # type: ignore[union-attr]
    assert set(ask("get", ada).data) == {"id", "status", "percent", "message", "elapsed", "eta"}
