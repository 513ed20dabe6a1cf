"""Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

try:
    from playwright import sync_api as playwright
except ImportError:
    playwright = None  # type: ignore[assignment]

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser. Where there is none the tests are skipped, but not by a CI."""
    path = shutil.which("chromium")
    if playwright is None or path is None:
        said = "The browser's tests need Playwright (pip install playwright) and Debian's chromium."
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    # Playwright's loop runs in the tests' own thread, where Django would refuse its ORM for the sake of it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def said() -> list[str]:
    """What the pages' consoles said: violations of the policy, and scripts' errors."""
    return []


@pytest.fixture
def open_page(chromium: Any, live_server: Any, said: list[str]) -> Iterator[Open]:
    """Open a page for a user, in a browser window of its own. Options are those of `new_context`."""
    contexts = []

    def open_page(who: User, path: str, **options: Any) -> Any:
        client = Client()
        client.force_login(who)
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: _note(message, said))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.set_default_timeout(10_000)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()


def _note(message: Any, said: list[str]) -> None:
    # The browser asks each site once for an icon, which the tests' site doesn't have.
    if not message.location["url"].endswith("/favicon.ico"):
        said.append(message.text)
