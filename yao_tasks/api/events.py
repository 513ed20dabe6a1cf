"""A job's events as they come (Server-Sent Events): where it is, and how it ends."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import get_language, gettext

from yao_tasks import conf, servers
from yao_tasks.api import frames, places
from yao_tasks.api.access import reader_of
from yao_tasks.api.answers import Refused, answers
from yao_tasks.api.finding import find
from yao_tasks.api.places import Place
from yao_tasks.api.threads import close_connections
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.pools import Pool

Frame = Callable[[JobInfo], tuple[str, bytes]]
"""Writes a picture as an event: its id, and its text."""

# A browser comes back by itself; what is open for ever outlives proxies' tables, sessions and links (s).
LONGEST = 600.0
# Where it holds a thread (s).
LONGEST_IN_THREAD = 60.0
# There, the job is looked at so often (s).
LOOK = 0.5


@answers("GET", "HEAD")
def events(request: HttpRequest, task: str, job_id: int) -> HttpResponseBase:
    """A stream of the job's pictures, as the status shows them, until it ends. 204 to whoever has seen the end."""
    is_asgi = hasattr(request, "scope")
    wanted = conf.current().streams
    if not (is_asgi if wanted is None else wanted):
        raise Refused(404, gettext("This site has no event streams: ask for the status."))
    reader = reader_of(request, task, job_id)
    pool, info = find(request, task, job_id, reader)
    assert reader is not None
    seen, language = request.headers.get("Last-Event-ID", ""), get_language() or ""
    frame = partial(frames.frame, definition=pool.config, reader=reader, language=language)
    if info.is_finished and frame(info)[0] == seen:
        return HttpResponse(status=204)
    if request.method == "HEAD":
        return _with_headers(HttpResponse(content_type=frames.TYPE))
    place = places.take(reader.name, request.META, threaded=not is_asgi)
    stream = _stream if is_asgi else _stream_in_thread
    return _with_headers(Stream(stream(pool, info, frame, seen, place), place))


class Stream(StreamingHttpResponse):
    """An answer that gives its place back when the server is done with it, even if it never began."""

    def __init__(self, events: Iterator[bytes] | AsyncIterator[bytes], place: Place) -> None:
        super().__init__(events, content_type=frames.TYPE)
        self.place = place

    def close(self) -> None:
        """As Django has it, whatever becomes of the events."""
        self.place.leave()
        super().close()


def _with_headers(answer: HttpResponseBase) -> HttpResponseBase:
    for name, value in frames.HEADERS.items():
        answer.headers[name] = value
    return answer


async def _stream(pool: Pool, info: JobInfo, frame: Frame, seen: str, place: Place) -> AsyncIterator[bytes]:
    """All that is to be said, under ASGI: no thread waits."""
    # Only where they are used: they bring in asyncio.
    from yao_tasks.api.feeds import follow
    from yao_tasks.api.threads import let_go

    until = time.monotonic() + LONGEST
    try:
        await let_go()
        yield frames.opening()
        async with follow(pool, info) as feed:
            while True:
                shown = feed.info
                mark, text = frame(shown)
                if mark != seen:
                    seen = mark
                    yield text
                if shown.is_finished or feed.is_over or time.monotonic() > until:
                    return
                await feed.wait(shown, frames.HEARTBEAT)
                if feed.info is shown and not feed.is_over:
                    yield frames.PING
    finally:
        place.leave()


def _stream_in_thread(pool: Pool, info: JobInfo, frame: Frame, seen: str, place: Place) -> Iterator[bytes]:
    """The same under WSGI: the thread that answers the request looks again and again."""
    until = time.monotonic() + LONGEST_IN_THREAD
    try:
        yield frames.opening()
        said = time.monotonic()
        while True:
            mark, text = frame(info)
            now = time.monotonic()
            if mark != seen or now - said > frames.HEARTBEAT:
                yield text if mark != seen else frames.PING
                seen, said = mark, now
            if info.is_finished or now > until or servers.is_leaving():
                return
            close_connections()
            time.sleep(LOOK)
            info = pool.get(info.id)
    except JobNotFound:
        # Forgotten meanwhile: whoever asks again is told so.
        pass
    finally:
        place.leave()
