"""`{% job_progress %}` and `{% job_url %}`: what the page holds before any script runs."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils.html import escape
from django.utils.translation import override

import yao_tasks
from tests.conftest import SECONDS, Gate, Site
from tests.django.dashboard import PAYLOAD
from yao_tasks import current_job
from yao_tasks.core.errors import BadJobId, TaskNotFound

SCRIPT = Path(yao_tasks.__file__).parent / "static" / "yao_tasks" / "job-progress.js"


def drawn(text: str, **context: Any) -> str:
    return Template("{% load yao_tasks %}" + text).render(Context(context))


def widget(job_id: int, options: str = "", **context: Any) -> str:
    return drawn(f'{{% job_progress "job" job_id {options} %}}', job_id=job_id, **context)


@pytest.fixture
def gate(site: Site) -> Gate:
    return site.gate()


def test_it_shows_how_far_the_job_is(site: Site, gate: Gate, settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True

    def work(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(1500.5, 20_000, "row <1500>")
        gate(job_id)

    job_id = site.task("job", work).add()
    gate.entered()

    with override("de"):
        text = widget(job_id)

    assert 'value="1500.5" max="20000"' in text
    assert "<span>row &lt;1500&gt;</span>" in text
    assert text.count("<script") == 1
    assert not re.search(r"<script(?! type=\"module\" src)|style=| on\w+=", text)


def test_its_address_opens_the_job(site: Site) -> None:
    pool = site.task("job", lambda job_id: 1)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    (address,) = re.findall(r'src="(/tasks/[^"]+)"', widget(job_id))

    assert Client().get(address).json()["id"] == job_id
    assert Client().get(drawn('{% job_url "job" job_id %}', job_id=job_id)).json()["id"] == job_id


def test_a_job_that_has_ended_is_shown_so(site: Site) -> None:
    def fail(job_id: int) -> None:
        raise OSError("smtp.internal")

    good, bad = site.task("job", lambda job_id: 1), None
    job_id = good.add()
    good.wait(job_id, SECONDS)
    text = widget(job_id)
    bad = site.task("job", fail)
    failed = bad.add()
    bad.wait(failed, SECONDS)

    assert 'value="1" max="1"' in text
    assert "<span>Done</span>" in text
    assert "<span>This could not be done.</span>" in widget(failed)
    assert 'value="0" max="1"' in widget(failed)
    assert "internal" not in widget(failed)


def test_a_job_that_is_not_known_waits(site: Site) -> None:
    site.task("job", lambda job_id: 1)

    assert "<span>Waiting for its turn</span>" in widget(7)


def test_texts_can_be_ones_own_and_are_escaped(site: Site) -> None:
    site.task("job", lambda job_id: 1)

    text = widget(7, "label=label waiting='In the queue'", label=PAYLOAD)

    assert f'label="{escape(PAYLOAD)}"' in text
    assert "<span>In the queue</span>" in text
    assert "<img" not in text


def test_wrong_texts_tasks_and_ids_are_said_so(site: Site) -> None:
    site.task("job", lambda job_id: 1)

    with pytest.raises(TypeError, match="no text called sucess"):
        widget(7, "sucess='Yes'")
    with pytest.raises(BadJobId, match="no job id"):
        widget("7")  # type: ignore[arg-type]
    with pytest.raises(TaskNotFound):
        drawn('{% job_progress "jab" 7 %}')


@pytest.mark.parametrize(
    ("streams", "asgi", "events"),
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_it_follows_events_where_there_are_any(
    site: Site, settings: Any, streams: bool | None, asgi: bool, events: bool
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "STREAMS": streams}
    site.task("job", lambda job_id: 1)
    request = RequestFactory().get("/")
    if asgi:
        request.scope = {}  # type: ignore[attr-defined]

    assert (" events " in widget(7, request=request)) is events


def test_it_speaks_chinese(site: Site) -> None:
    site.task("job", lambda job_id: 1)

    with override("zh-hans"):
        assert "正在排队" in widget(7)


def test_the_script_is_small_and_needs_nothing() -> None:
    text = SCRIPT.read_text(encoding="utf-8")

    assert len(text.encode()) < 6 * 1024
    assert not re.search(r"\bimport\b|innerHTML|eval|https?:", text)


def test_an_address_says_what_it_lacks(site: Site, settings: Any) -> None:
    with pytest.raises(BadJobId):
        yao_tasks.job_url("job", True)
    with pytest.raises(ImproperlyConfigured, match=r"yao_tasks\.urls"):
        yao_tasks.job_url("a/b", 1)
