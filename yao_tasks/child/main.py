"""The whole life of a child: it is set up, runs what it is told to, and ends when there is no more.

[setup …] -> django.setup(), the handler is imported -> [ready] -> [run …] -> … -> the channel ends
"""

import os
import socket
import sys
from typing import Any

from yao_tasks.child.guard import GONE, end_with
from yao_tasks.child.priority import stand_back
from yao_tasks.core.children import link as links
from yao_tasks.core.children.frames import Channel, Closed


def main(given: dict[str, Any]) -> None:
    """Live. `given`: `fd` of the channel, `parent` (its pid), `most` (bytes of a frame)."""
    sock = socket.socket(fileno=given["fd"])
    # Programs that a handler starts have no part in it.
    sock.set_inheritable(False)
    stand_back()
    end_with(given["parent"], sock)
    link = links.open_link(Channel(sock, given["most"]))
    try:
        _serve(link)
    except Closed:
        sys.exit(0)
    except OSError:
        # The handler has closed all files, perhaps: nothing can be told any more.
        _leave()


def _serve(link: links.Link) -> None:
    setup = link.next_order()[1]
    try:
        from yao_tasks.child.setup import set_up

        runs = set_up(link, setup)
    except BaseException as error:
        link.tell(["unfit", _told(error)])
        raise SystemExit(1) from error
    link.tell(["ready"])
    while True:
        frame = link.next_order()
        match frame:
            case ["run", *values]:
                outcome = runs.run(*values)
                if os.getpid() != link.pid:
                    # A process that the handler forked, and which came back from it: the job is not its own.
                    os._exit(0)
                link.channel.send_bytes(outcome)
            case ["setup", dict(setup)]:
                runs = set_up(link, setup)
                link.tell(["ready"])


def _told(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:4096]
    except BaseException:  # noqa: BLE001 - foreign __str__
        return type(error).__name__


def _leave() -> None:
    os._exit(GONE)
