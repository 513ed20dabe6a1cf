"""The ASGI lifespan protocol: the server says when it is about to end, and the pools are closed before it does.

Python's own hooks for its exit are no help there: uvicorn ends by the signal that it was sent, and they never run.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from yao_tasks import boot
from yao_tasks.core.log import logger

# The types that https://asgi.readthedocs.io/en/latest/specs/lifespan.html and main.html describe.
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def with_lifespan(app: Application) -> "Lifespan":
    """Return the ASGI application, which now closes the pools within `DRAIN_TIMEOUT` before its server ends.

    Everything else goes to `app`; if that takes part in the lifespan protocol itself, both happen: the pools are
    closed first, since their jobs may use what the application is about to close.
    """
    return Lifespan(app)


class Lifespan:
    """What `with_lifespan` returns; called in the server's event loop, which it never blocks."""

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer the lifespan protocol, pass everything else on."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        talk = _Talk(receive, send)
        try:
            await self.app(scope, talk.receive, talk.send)
        except Exception as error:
            if talk.is_over:
                raise
            # To raise at once is how an application says that it doesn't know the protocol; Django's does so.
            if talk.heard:
                logger.error("%r failed in the lifespan protocol: %s", self.app, error, exc_info=error)
        await talk.finish()


class _Talk:
    """What the server and the wrapped application say to each other; remembers it, and acts upon it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.heard: list[str] = []
        self.said: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether the server is told all it waits for, or was sent away."""
        return "lifespan.startup.failed" in self.said or "lifespan.shutdown" in self.heard

    async def receive(self) -> Message:
        """The server's next message, once the pools have done what it asks of them."""
        message = await self._receive()
        if message["type"] == "lifespan.startup":
            boot.reopen()
        elif message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(boot.close)
        self.heard.append(message["type"])
        return message

    async def send(self, message: Message) -> None:
        """Hand the application's message to the server."""
        self.said.append(message["type"])
        await self._send(message)

    async def finish(self) -> None:
        """Say what the application left unsaid."""
        if "lifespan.startup.failed" in self.said:
            return
        for step in ("lifespan.startup", "lifespan.shutdown"):
            if step not in self.heard:
                await self.receive()
            if not any(said.startswith(f"{step}.") for said in self.said):
                await self.send({"type": f"{step}.complete"})
