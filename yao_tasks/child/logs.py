"""The log of a child comes back live, and is written where its parent writes."""

import logging

from yao_tasks.core.children.link import Link
from yao_tasks.core.children.records import packed


class Forward(logging.Handler):
    """Sends each record to the parent, as text."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link

    def emit(self, record: logging.LogRecord) -> None:
        """Send it. A record that can't be sent, as from a fork, is lost."""
        try:
            self.link.tell(["log", packed(record)])
        except Exception:  # noqa: BLE001, S110 - foreign arguments, a channel that is gone: there is no one to tell
            pass


def forward(link: Link) -> None:
    """Send to the parent what is logged from now on. Levels stay; handlers don't: the parent has the same."""
    forwarding = Forward(link)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.propagate = True
    for handler in list(logging.root.handlers):
        logging.root.removeHandler(handler)
        handler.close()
    logging.root.addHandler(forwarding)
