"""The arguments that a request brings along: JSON, of bounded size and depth."""

import json
import math
from typing import Any, NoReturn

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError
from django.utils.translation import gettext

from yao_tasks.api.answers import Refused

# Bytes: arguments that are stored have 64 KiB, and JSON may write a character in six.
LONGEST = 128 * 1024
KEYS = {"args": list, "kwargs": dict}


def refuse_too_long(request: HttpRequest) -> None:
    """Refuse a body that says of itself that it is too long, before any of it is read."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit() or len(length) > 10 or int(length) > LONGEST:
        raise RequestDataTooBig


def arguments(request: HttpRequest) -> tuple[list[Any], dict[str, Any]]:
    """What the body `{"args": […], "kwargs": {…}}` says; both may be left out. Refused with a sentence."""
    if request.content_type != "application/json":
        raise Refused(400, gettext("Send JSON, with the header Content-Type: application/json."))
    body = _json(_read(request))
    if not isinstance(body, dict):
        raise Refused(400, gettext('Send an object: {"args": […], "kwargs": {…}}.'))
    if set(body) - set(KEYS):
        raise Refused(400, gettext('The object has "args" and "kwargs", nothing else.'))
    if not isinstance(body.get("args", []), list):
        raise Refused(400, gettext('"args" is a list.'))
    if not isinstance(body.get("kwargs", {}), dict):
        raise Refused(400, gettext('"kwargs" is an object.'))
    return body.get("args", []), body.get("kwargs", {})


def _read(request: HttpRequest) -> bytes:
    try:
        # Not `request.body`, whose bound is the site's own for its forms.
        body = bytes(request.read(LONGEST + 1))
    except UnreadablePostError as error:
        raise Refused(400, gettext("The request ended too soon.")) from error
    if len(body) > LONGEST:
        raise RequestDataTooBig
    return body


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Refused(400, gettext("That is no JSON.")) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
