"""The demo's sign-up in a browser, under a policy that allows no inline script or style."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import until
from tests.demo.conftest import PASSWORD, MailServer, demo, mail_server

pytestmark = pytest.mark.browser
__all__ = ["demo", "mail_server"]


@pytest.fixture
def open_site(
    mail_server: MailServer, settings: Any, live_server: Any, chromium: Any, said: list[str]
) -> Iterator[Callable[..., Any]]:
    """Open the site in a window of its own, with options of `new_context`; its console speaks to `said`."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "demo_project.csp.strict"]
    contexts = []

    def open_site(**options: Any) -> Any:
        contexts.append(chromium.new_context(base_url=live_server.url, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.set_default_timeout(10_000)
        page.goto("/")
        return page

    yield open_site
    for context in contexts:
        context.close()


def test_the_bar_moves_without_a_reload_until_the_mail_is_sent(
    open_site: Callable[..., Any], mail_server: MailServer, said: list[str]
) -> None:
    mail_server.open.clear()
    page = open_site()
    _sign_up(page)
    bar = page.locator("job-progress [part=bar]")
    page.locator("[part=message]", has_text="Sending").wait_for()
    half = bar.evaluate("bar => bar.value / bar.max")
    reload_links = page.get_by_text("Reload").locator("visible=true").count()
    mail_server.open.set()
    page.get_by_text("Mail sent").wait_for()

    assert half == 0.5
    assert reload_links == 0
    assert len(mail_server.mails) == 1
    assert said == []


def test_without_javascript_a_link_shows_how_far_it_is(
    open_site: Callable[..., Any], mail_server: MailServer
) -> None:
    mail_server.open.clear()
    plain = open_site(java_script_enabled=False)
    _sign_up(plain)
    plain.get_by_text("Reload").wait_for()
    mail_server.open.set()
    until(lambda: mail_server.mails, "the mail")

    def sent() -> bool:
        plain.reload()
        return bool(plain.get_by_text("Mail sent").count())

    until(sent, "the page to say so")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_fits_a_narrow_screen(open_site: Callable[..., Any], scheme: str) -> None:
    narrow = open_site(color_scheme=scheme, viewport={"width": 400, "height": 800})

    assert narrow.evaluate("() => document.documentElement.scrollWidth") == 400


def _sign_up(page: Any) -> None:
    fields = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)
    page.click("main button")
