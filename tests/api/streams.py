"""Event streams as a server runs them: the ASGI application, called directly in a loop of the test's own."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.core.asgi import get_asgi_application


@dataclass(slots=True)
class Event:
    """One event of a stream."""

    name: str = "message"
    id: str = ""
    data: str = ""

    @property
    def job(self) -> Any:
        """What it tells."""
        return json.loads(self.data)


def parsed(text: bytes) -> Iterator[Event]:
    """The events in what has been read, pings left out."""
    for block in text.decode().split("\n\n")[:-1]:
        event = Event()
        for line in block.splitlines():
            field_name, _, value = line.partition(":")
            if field_name in ("id", "data"):
                setattr(event, field_name, value.removeprefix(" "))
            elif field_name == "event":
                event.name = value.strip()
        if event.data:
            yield event


@dataclass(slots=True)
class Stream:
    """One request under ASGI; `read` waits for what comes."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    status: int = 0
    answer: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    task: Any = None

    async def __aenter__(self) -> "Stream":
        parts = urlsplit(self.url)
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "path": parts.path,
            "query_string": parts.query.encode(),
            "headers": [(b"host", b"testserver"), *headers],
        }
        app = get_asgi_application()
        self.task = asyncio.create_task(app(scope, self._receive, self._send))
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.gone.set()
        await asyncio.wait_for(self.task, 10)

    async def until(self, question: Any) -> Any:
        """Wait until that is true; fails after 10 s, or when the answer has ended without it."""
        async with asyncio.timeout(10):
            while not (found := question()):
                assert not self.task.done(), self.body
                self.news.clear()
                await asyncio.wait([asyncio.create_task(self.news.wait()), self.task], timeout=0.05)
        return found

    async def end(self) -> list[Event]:
        """Wait for the end of the answer; all its events."""
        await asyncio.wait_for(asyncio.shield(self.task), 10)
        return self.events

    @property
    def events(self) -> list[Event]:
        """What has come so far."""
        return list(parsed(self.body))

    sent: bool = False

    async def _receive(self) -> dict[str, Any]:
        if not self.sent:
            self.sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.answer = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        self.body += message.get("body", b"")
        self.news.set()
