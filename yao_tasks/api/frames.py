"""What an event stream consists of, as https://html.spec.whatwg.org/multipage/server-sent-events.html has it."""

import random

from django.utils.translation import override

from yao_tasks.api.access import Reader
from yao_tasks.api.pictures import picture, written
from yao_tasks.core.definitions import Definition
from yao_tasks.core.jobs import FAILURE_NAME, SUCCESS_NAME, JobInfo

# Proxies close what is silent for a minute, and a browser sees by these that the other end is there (s).
HEARTBEAT = 15.0
# An event, where a comment would do: scripts aren't told of comments.
PING = b"event: ping\ndata:\n\n"
NAMES = {SUCCESS_NAME: "success", FAILURE_NAME: "failure"}

HEADERS = {
    "Cache-Control": "no-store, no-transform, private",
    # nginx keeps back what it doesn't say this of.
    "X-Accel-Buffering": "no",
    # Middleware that compresses leaves alone what is encoded already.
    "Content-Encoding": "identity",
}
TYPE = "text/event-stream; charset=utf-8"


def opening() -> bytes:
    """What a stream begins with. Those that a restart has cut off don't all come back in the same moment."""
    return b"retry: %d\n%b" % (random.randint(1_000, 3_000), PING)  # noqa: S311 - no secret


def frame(info: JobInfo, definition: Definition, reader: Reader, language: str) -> tuple[str, bytes]:
    """The picture's id, and the event that tells of it."""
    with override(language or None):
        text, mark = written(picture(info, definition, reader))
    name = NAMES.get(info.status, "progress")
    return mark, f"id: {mark}\nevent: {name}\ndata: {text}\n\n".encode()
