"""The dashboard's page *Diagnosis*."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from tests.conftest import SECONDS, Site, until
from tests.django.dashboard import client_of, read, user, viewer
from yao_tasks import boot
from yao_tasks.core import load
from yao_tasks.diagnosis import health
from yao_tasks.diagnosis.health import Health

pytestmark = pytest.mark.django_db

DIAGNOSIS = "admin:yao_tasks_dashboard_diagnosis"


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "memory_usage", lambda: 0.25)
    monkeypatch.setattr(load, "cpu_usage", lambda: 0.5)


def words(client: Client, name: str = DIAGNOSIS, **headers: str) -> str:
    text = (
        read(client, reverse(name)) if not headers else client.get(reverse(name), **headers).content.decode()
    )
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_it_says_that_nothing_is_wrong_and_what_was_looked_at(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.wait(pool.using(on_commit=False).add(), SECONDS)
    until(lambda: pool.metrics()["succeeded"], "the numbers")

    text = words(viewer())

    assert "Nothing is wrong just now." in text
    assert "100.0 %" in text
    assert "can be imported" in text
    assert "The machine: memory 25 %, processors 50 %." in text


def test_what_is_wrong_stands_first_with_what_to_do(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.task("mail", lambda job_id: None)
    site.task("broken", lambda job_id: None, process="no.such.module")
    monkeypatch.setattr(
        health, "ask_all", lambda definitions: {"mail": Health(error="OSError: <b>no disk</b>")}
    )
    monkeypatch.setattr(load, "memory_usage", lambda: 0.99)

    text = read(viewer(), reverse(DIAGNOSIS))
    plain = words(viewer())

    assert "OSError: &lt;b&gt;no disk&lt;/b&gt;" in text
    assert "Mend what its handler needs; until then its jobs fail." in plain
    assert "The machine The machine's memory is used to 99 %." in re.sub("&#x27;", "'", plain)
    assert "can't be used" in re.sub("&#x27;", "'", plain)


def test_the_fragment_is_the_same_until_something_changes(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    client, url = viewer(), reverse(f"{DIAGNOSIS}_fragment")
    first = client.get(url)

    again = client.get(url, headers={"If-None-Match": first["ETag"]})

    assert (first.status_code, again.status_code) == (200, 304)


def test_it_speaks_chinese(site: Site) -> None:
    site.task("mail", lambda job_id: None)

    text = words(viewer(), HTTP_ACCEPT_LANGUAGE="zh-hans")

    assert "目前一切正常。" in text
    assert "机器：内存 25 %，处理器 50 %。" in text


def test_it_is_for_those_who_may_look(site: Site) -> None:
    site.task("mail", lambda job_id: None)
    nobody = client_of(user("nobody", is_staff=True))

    assert nobody.get(reverse(DIAGNOSIS)).status_code == 403
    assert boot.house() is not None
