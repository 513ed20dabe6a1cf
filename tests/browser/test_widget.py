"""<job-progress> in a browser, under a strict policy: what it shows, what it survives, what it tells the page."""

import asyncio
import importlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import include, path

from tests.conftest import SECONDS, Site, until
from tests.demo.conftest import demo, mail_server
from tests.servers.conftest import needs
from yao_tasks import GiveUp, current_job, tasks
from yao_tasks.api import finding

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["demo", "mail_server"]

PAGE = """{% load yao_tasks static i18n %}<!doctype html>{% get_current_language as LANGUAGE_CODE %}
<html lang="{{ LANGUAGE_CODE }}" dir="{{ dir }}"><title>A job</title>
{% for _ in times %}{% job_progress "job" job_id %}{% endfor %}"""


def show(request: HttpRequest, job_id: int) -> HttpResponse:
    """A page with bars of one job."""
    context = {"request": request, "job_id": job_id, "times": "x" * int(request.GET.get("times", 1))}
    return HttpResponse(Template(PAGE).render(Context({**context, "dir": request.GET.get("dir", "ltr")})))


urlpatterns = [path("tasks/", include("yao_tasks.urls")), path("<int:job_id>/", show)]
TOLD = """window.told = [];
for (const name of ["job-progress", "job-success", "job-failure"])
  document.addEventListener(name, (event) => told.push([name, event.detail.current, event.detail.response]));"""


class Steps:
    """A handler that goes one step further whenever the test says so."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self, job_id: int, total: int = 4) -> str:
        job = current_job()
        assert job is not None
        for step in range(total):
            job.progress(step, total, f"step {step}")
            assert self.go.acquire(timeout=SECONDS)
        if self.error is not None:
            raise self.error
        return "the end"

    def on(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.go.release()


@pytest.fixture
def steps() -> Iterator[Steps]:
    steps = Steps()
    yield steps
    steps.on(100)


@pytest.fixture
def job_id(site: Site, steps: Steps, settings: Any) -> int:
    """A job that waits for its first step."""
    settings.ROOT_URLCONF = __name__
    return site.task("job", steps).add()


class Front:
    """What stands before the site, as a proxy does: counts what is asked, and may be cut off."""

    def __init__(self, context: Any) -> None:
        self.asked: list[str] = []
        self.is_cut = False
        context.route("**/tasks/**", self._pass)

    def _pass(self, route: Any) -> None:
        self.asked.append(route.request.url)
        if self.is_cut:
            route.abort()
        else:
            route.continue_()


@pytest.fixture
def visit(chromium: Any, live_server: Any, said: list[str]) -> Iterator[Callable[..., Any]]:
    """Open a page for nobody in particular; options are those of `new_context`."""
    contexts = []

    def visit(address: str, *, base: str = "", **options: Any) -> Any:
        contexts.append(chromium.new_context(base_url=base or live_server.url, **options))
        page = contexts[-1].new_page()
        page.add_init_script(TOLD)
        page.on("console", lambda message: said.append(f"{message.text} {message.location['url']}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.set_default_timeout(10_000)
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()


def share(page: Any) -> float:
    """How much of the bar is full."""
    return float(page.locator("[part=bar]").first.evaluate("bar => bar.value / bar.max"))


def wait_for_share(page: Any, wanted: float) -> None:
    page.wait_for_function(
        "wanted => { const bar = document.querySelector('job-progress').bar; return bar.value / bar.max === wanted }",
        arg=wanted,
    )


def names(page: Any) -> list[str]:
    """What the page was told."""
    return [told[0] for told in page.evaluate("told")]


def test_the_bar_follows_the_job_to_its_end(job_id: int, steps: Steps, visit: Any, said: list[str]) -> None:
    page = visit(f"/{job_id}/")
    for step in range(4):
        wait_for_share(page, step / 4)
        steps.on()
    page.get_by_text("Done").locator("visible=true").wait_for()

    assert share(page) == 1
    assert names(page)[-1] == "job-success"
    assert names(page).count("job-success") == 1
    assert page.evaluate("told.at(-1)[2]") == "the end"
    assert page.locator("job-progress").get_attribute("status") == "success"
    assert [one for one in said if "favicon" not in one] == []


def test_time_that_is_left_is_counted(job_id: int, steps: Steps, visit: Any) -> None:
    page = visit(f"/{job_id}/")
    wait_for_share(page, 0)
    time.sleep(1.5)
    steps.on()
    page.get_by_text("left").wait_for()

    assert ":" in page.locator("[part=left]").inner_text()


def test_a_failure_is_told_in_the_handlers_words(job_id: int, steps: Steps, visit: Any) -> None:
    steps.error = GiveUp("row <17> has no date")
    page = visit(f"/{job_id}/")
    steps.on(4)
    page.get_by_text("row <17> has no date").locator("visible=true").wait_for()

    assert names(page)[-1] == "job-failure"


def test_a_job_that_ended_before_the_page_came_is_told_too(job_id: int, steps: Steps, visit: Any) -> None:
    steps.on(4)
    until(lambda: _status(job_id) == "SUCCESS")
    page = visit(f"/{job_id}/")
    page.wait_for_function("() => told.length")

    assert names(page) == ["job-success"]
    assert share(page) == 1


def test_a_bar_stands_still_once_a_job_is_cancelled_that_never_ran(
    job_id: int, steps: Steps, visit: Any
) -> None:
    pool = tasks["job"]
    pool.pause()
    waiting = pool.add()
    page = visit(f"/{waiting}/")
    assert page.evaluate("document.querySelector('job-progress').bar.position") == -1
    pool.cancel(waiting)
    page.wait_for_function("() => told.some(([name]) => name === 'job-failure')")

    assert page.evaluate("document.querySelector('job-progress').bar.position") == 0


def test_a_reload_in_the_middle_goes_on_where_it_was(job_id: int, steps: Steps, visit: Any) -> None:
    page = visit(f"/{job_id}/")
    steps.on(2)
    wait_for_share(page, 0.5)
    page.reload()
    wait_for_share(page, 0.5)
    steps.on(2)
    page.wait_for_function("() => told.some(one => one[0] === 'job-success')")


def test_several_bars_of_a_job_ask_once(job_id: int, steps: Steps, visit: Any) -> None:
    page = visit("about:blank")
    front = Front(page.context)
    page.goto(f"/{job_id}/?times=2")
    wait_for_share(page, 0)
    # One that was signed at another moment.
    page.evaluate("""() => {
        const one = document.createElement("job-progress");
        one.setAttribute("src", document.querySelector("job-progress").getAttribute("src") + "&later");
        document.body.append(one);
    }""")
    before = len(front.asked)
    page.wait_for_timeout(2_500)
    asked = len(front.asked) - before
    steps.on(4)
    page.wait_for_function("() => told.filter(one => one[0] === 'job-success').length === 3")

    assert 1 <= asked <= 3


def test_a_network_that_is_away_for_a_while_is_said_and_survived(
    job_id: int, steps: Steps, visit: Any
) -> None:
    page = visit("about:blank")
    front = Front(page.context)
    page.goto(f"/{job_id}/")
    wait_for_share(page, 0)
    front.is_cut = True
    page.get_by_text("Connection lost").locator("visible=true").wait_for()
    steps.on(2)
    page.wait_for_timeout(5_000)
    front.is_cut = False
    wait_for_share(page, 0.5)

    assert page.locator("[part=status]").inner_text() == ""
    steps.on(2)
    page.wait_for_function("() => told.some(one => one[0] === 'job-success')")


def test_what_has_vanished_is_said_and_a_link_is_left(
    job_id: int, steps: Steps, visit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "PATIENCE", 0.1)
    page = visit(f"/{job_id + 99}/")
    page.get_by_text("Nothing more is known").locator("visible=true").wait_for()

    assert page.get_by_role("link", name="Reload").is_visible()
    assert names(page) == []


def test_a_job_of_another_process_is_no_lost_connection(job_id: int, steps: Steps, visit: Any) -> None:
    page = visit("about:blank")
    page.context.route("**/tasks/**", lambda route: route.fulfill(status=409, json={"error": "elsewhere"}))
    page.goto(f"/{job_id}/")
    page.get_by_text("Nothing more is known").locator("visible=true").wait_for()

    assert page.get_by_role("link", name="Reload").is_visible()


def test_without_scripts_there_is_the_state_and_a_link(job_id: int, steps: Steps, visit: Any) -> None:
    steps.on(2)
    until(lambda: _message(job_id) == "step 2")
    page = visit(f"/{job_id}/", java_script_enabled=False)
    before = (page.locator("progress").get_attribute("value"), page.locator("job-progress").inner_text())
    steps.on(2)
    until(lambda: _status(job_id) == "SUCCESS")
    page.get_by_role("link", name="Reload").click()
    page.get_by_text("Done").wait_for()

    assert before[0] == "2"
    assert "step 2" in before[1]


def test_it_speaks_chinese_and_goes_from_right_to_left(
    job_id: int, steps: Steps, visit: Any, said: list[str]
) -> None:
    page = visit(f"/{job_id}/?dir=rtl", locale="zh-CN", color_scheme="dark")
    wait_for_share(page, 0)
    direction = page.locator("[part=bar]").evaluate("bar => getComputedStyle(bar).direction")
    label = page.locator("[part=bar]").get_attribute("aria-label")
    steps.on(4)
    page.get_by_text("已完成").locator("visible=true").wait_for()

    assert direction == "rtl"
    assert label == "进度"


def test_variables_and_parts_give_it_the_pages_own_looks(job_id: int, steps: Steps, visit: Any) -> None:
    page = visit(f"/{job_id}/", bypass_csp=True)
    wait_for_share(page, 0)
    page.add_style_tag(
        content="job-progress { --job-progress-height: 33px } ::part(message) { color: rgb(1, 2, 3) }"
    )

    assert page.locator("[part=bar]").evaluate("bar => getComputedStyle(bar).height") == "33px"
    assert page.locator("[part=message]").evaluate("one => getComputedStyle(one).color") == "rgb(1, 2, 3)"


# With event streams


class Uvicorn:
    """uvicorn in a thread, at one port: can be stopped, and started again."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        needs("uvicorn")
        uvicorn = importlib.import_module("uvicorn")
        # Static files are for another server, in truth; here it has to give the script away itself.
        app = ASGIStaticFilesHandler(get_asgi_application())
        config = uvicorn.Config(app, port=self.port, log_level="warning", lifespan="off", ws="none")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()), name="uvicorn")
        self.thread.start()
        until(lambda: self.server.started, "uvicorn")

    def stop(self) -> None:
        if self.thread is not None:
            self.server.should_exit = True
            self.thread.join(SECONDS)
            self.thread = None


@pytest.fixture
def uvicorn(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Uvicorn]:
    settings.DEBUG = True  # who serves static files asks for it
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    server = Uvicorn()
    server.start()
    # In a thread it has no signals.
    monkeypatch.setattr("yao_tasks.servers.is_leaving", lambda: server.server.should_exit)
    yield server
    server.stop()


def test_under_asgi_it_follows_events_and_asks_nothing(
    job_id: int, steps: Steps, visit: Any, uvicorn: Uvicorn
) -> None:
    page = visit("about:blank", base=uvicorn.url)
    front = Front(page.context)
    page.goto(f"/{job_id}/")
    for step in range(4):
        wait_for_share(page, step / 4)
        steps.on()
    page.wait_for_function("() => told.some(one => one[0] === 'job-success')")
    page.wait_for_timeout(1_500)

    assert len(front.asked) == 1
    assert "/events/" in front.asked[0]


def test_a_server_that_is_away_for_five_seconds_is_survived(
    job_id: int, steps: Steps, visit: Any, uvicorn: Uvicorn
) -> None:
    page = visit(f"/{job_id}/", base=uvicorn.url)
    wait_for_share(page, 0)
    uvicorn.stop()
    page.get_by_text("Connection lost").locator("visible=true").wait_for()
    steps.on(2)
    page.wait_for_timeout(5_000)
    uvicorn.start()
    wait_for_share(page, 0.5)
    steps.on(2)
    page.wait_for_function("() => told.some(one => one[0] === 'job-success')")

    assert page.locator("[part=status]").inner_text() == "Done"


# In the demo


def test_an_import_is_cancelled_half_way(
    demo: Any, settings: Any, chromium: Any, live_server: Any, tmp_path: Any, said: list[str]
) -> None:
    settings.DATA_DIR, settings.DEMO_PAUSE = tmp_path, 0.3
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "demo_project.csp.strict"]
    User.objects.create_user("ada", password="ada")
    rows = "name,email\n" + "".join(f"P{one},p{one}@example.org\n" for one in range(5_000))
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.set_default_timeout(10_000)
    page.goto("/login/?next=/imports/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "ada")
    page.click("main button")
    page.set_input_files("[name=file]", {"name": "list.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    page.click("main button")
    page.wait_for_function("() => document.querySelector('job-progress').bar.value > 1000")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("This was cancelled.").locator("visible=true").wait_for()
    context.close()

    assert said == []


def _status(job_id: int) -> str:
    return tasks["job"].get(job_id).status


def _message(job_id: int) -> str:
    return tasks["job"].get(job_id).message
