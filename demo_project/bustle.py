"""Jobs that come by themselves, so that the admin page of the demo has something to show."""

import threading
from itertools import count
from types import TracebackType

from django.contrib.auth.models import User

from yao_tasks import tasks
from yao_tasks.errors import PoolClosed, QueueFull

# Seconds between two rounds.
EVERY = 6


class Bustle:
    """Adds jobs to the pools of this process, some at once and more now and then, while it is entered."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._work, name="demo bustle", daemon=True)

    def __enter__(self) -> "Bustle":
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join(1)

    def _work(self) -> None:
        for _ in range(8):
            _add("fetch_rates")
        for turn in count():
            self._turn(turn)
            if self.over.wait(EVERY):
                return

    def _turn(self, turn: int) -> None:
        _add("fetch_rates")
        if turn % 4 == 0:
            # Takes 21 s, and is back 24 s later.
            _add("nightly_report")
            _add("welcome_email", self.user.pk)
            _add("thumbnails")
            _add("import_contacts")


def _add(task: str, *args: object) -> None:
    try:
        tasks[task].add(*args)
    except (QueueFull, PoolClosed):
        # More than anybody wants to see, or the server is leaving.
        pass
