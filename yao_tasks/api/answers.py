"""What all answers have in common: JSON, headers that keep it out of caches and logs, and errors with a sentence."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt

View = Callable[..., HttpResponseBase]

HEADERS = {
    "Cache-Control": "no-store, no-transform, private",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """The answer is an error: its status, a sentence in the reader's language, and headers."""

    def __init__(self, code: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.headers = headers or {}


def missing() -> Refused:
    """404, word for word the same whether there is no such job or it isn't the reader's to see."""
    return Refused(404, gettext("There is no such job, or it isn't yours to see."))


def later(sentence: str, seconds: float) -> Refused:
    """429: try again in so many seconds."""
    return Refused(429, sentence, {"Retry-After": str(max(1, round(seconds)))})


def answers(*methods: str) -> Callable[[View], View]:
    """Make a view of the API: it takes these methods only (none: all), and whatever it refuses is JSON.

    A view that writes guards itself against forgery (see `access.operator`), so that this, too, is JSON.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, **address: Any) -> HttpResponseBase:
            try:
                if methods and request.method not in methods:
                    allowed = ", ".join(methods)
                    sentence = gettext("This address takes %(methods)s only.") % {"methods": allowed}
                    raise Refused(405, sentence, {"Allow": allowed})
                response = view(request, **address)
            except Refused as refusal:
                response = _error(refusal.code, str(refusal), refusal.headers)
            except RequestDataTooBig:
                response = _error(413, gettext("That is too much: send less."), {})
            except (BadRequest, SuspiciousOperation):
                response = _error(400, gettext("That can't be read."), {})
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return answer

    return decorate


@answers()
def nowhere(request: HttpRequest, **address: Any) -> HttpResponseBase:
    """Whatever address has no view: 404 for each method."""
    raise missing()


def _error(code: int, sentence: str, headers: Mapping[str, str]) -> JsonResponse:
    return JsonResponse({"error": sentence}, status=code, headers=dict(headers))
