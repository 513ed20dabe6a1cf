"""A page that is open lives on while its server stops and comes back."""

import threading
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections

from tests.browser.conftest import Open, playwright
from tests.browser.pages import URL
from tests.conftest import Site
from tests.django.dashboard import user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log_message(self, *args: Any) -> None:
        """Nothing."""


class Threads(ThreadingMixIn, WSGIServer):
    """A thread a request, whose connections go with it."""

    daemon_threads = False

    def process_request_thread(self, *args: Any) -> None:
        """Answer it."""
        super().process_request_thread(*args)
        connections.close_all()

    def handle_error(self, *args: Any) -> None:
        """A browser may hang up."""


class Server:
    """Serves this process's site, always on the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        """Take connections."""
        application = StaticFilesHandler(get_wsgi_application())
        self._server = make_server("localhost", self.port, application, Threads, Quiet)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Take no more: the port is closed."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that can be stopped and started again."""
    one = Server()
    yield one
    one.stop()


def test_a_server_that_stops_and_comes_back_is_found_again(
    server: Server, site: Site, open_page: Open
) -> None:
    pool = site.task("mail", site.gate())
    page = open_page(
        user("viewer", "view_jobs", is_staff=True), f"http://localhost:{server.port}{URL}", locale="en"
    )
    when = page.locator(".yt-when")
    playwright.expect(when).to_contain_text("Updated")

    server.stop()
    playwright.expect(when).to_have_text("Connection lost, retrying", timeout=20_000)
    pool.add()
    server.start()

    playwright.expect(page.locator(".yt-id")).to_be_visible(timeout=30_000)
    playwright.expect(when).to_contain_text("Updated")
