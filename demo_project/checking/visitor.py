"""A person at a browser, as far as the sign-up needs one: cookies, the form and its CSRF token, the redirect."""

import json
import re
import secrets
from html import unescape
from http.cookiejar import CookieJar
from urllib.error import URLError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

from demo_project.checking.failed import CheckFailed

FIELDS = {"id", "status", "current", "total", "message", "response"}
# Seconds for one answer: twenty passwords are hashed on a small machine.
PATIENCE = 30


class Visitor:
    """Signs up at `address`. One thread at a time."""

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.name = name
        self.email = f"{name}@example.org"
        # This machine's proxy, if it has one, is not for its own servers.
        self.browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def sign_up(self) -> None:
        """Fill in the form, and look at the mail's progress. Raises CheckFailed where that doesn't work."""
        page = self._open(self.address)[1]
        password = secrets.token_urlsafe(12)
        form = {"username": self.name, "email": self.email, "password1": password, "password2": password}
        place, page = self._open(self.address, {**form, "csrfmiddlewaretoken": self._token(page)})
        if not re.search(r"/welcome/\d+/$", place):
            raise CheckFailed(f"{self.name} could not sign up: {_complaints(page)}")
        self._look(urljoin(place, "status/"))

    def _look(self, place: str) -> None:
        fields = set(json.loads(self._open(place)[1]))
        if fields != FIELDS:
            raise CheckFailed(f"{place} answers with the fields {sorted(fields)}, not with {sorted(FIELDS)}.")

    def _token(self, page: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        if not found:
            raise CheckFailed(f"The form at {self.address} has no CSRF token.")
        return found[1]

    def _open(self, place: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Where the answer came from after redirects, and its text."""
        try:
            with self.browser.open(place, form and urlencode(form).encode(), timeout=PATIENCE) as answer:
                return answer.url, answer.read().decode()
        except (URLError, TimeoutError) as error:
            raise CheckFailed(f"{self.name} got no answer from {place}: {error}.") from error


def _complaints(page: str) -> str:
    lists = re.findall(r'<ul class="errorlist".*?</ul>', page, re.DOTALL)
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", " ".join(lists)).split())) or "the form came back."
