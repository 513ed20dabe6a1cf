"""The end of a process, as API users see it: a server leaves soon, a command waits for its jobs."""

import atexit
import concurrent.futures.thread  # noqa: F401 - its exit hook has to stand before ours, so that it runs after it
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol


class Closable(Protocol):
    """What is closed: an engine."""

    def live(self) -> int:
        """How many jobs wait or run."""

    def can_work(self) -> bool:
        """Whether anybody is left to run them."""

    def refuse(self) -> None:
        """Take no more jobs, and let the running ones know."""

    def settle_down(self, deadline: float) -> None:
        """Wait until no job lives, nobody is left to run one, or the deadline (monotonic seconds) has passed."""

    def close(self, timeout: float) -> list[int]:
        """Refuse, wait, end the rest as lost; answers their ids."""


# The jobs have ended, and their events are under way: no event may take longer (s).
EVENT_SECONDS = 30.0

_registered = False


def at_exit(leave: Callable[[], None]) -> None:
    """Have `leave` called at the end of the process, while handlers can still use executors. Once a process."""
    global _registered
    if _registered:
        return
    _registered = True
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        # RuntimeError here means: the process is about to end.
        register(leave)
    atexit.register(leave)


def close(engines: Sequence[Closable], seconds: float) -> list[int]:
    """Close all of them within that time. All running jobs are told at once."""
    deadline = time.monotonic() + seconds
    for engine in engines:
        engine.refuse()
    return [job_id for engine in engines for job_id in engine.close(max(0.0, deadline - time.monotonic()))]


def wait(engines: Sequence[Closable]) -> bool:
    """Wait for the jobs, with a line on stderr that counts them. Ctrl-C ends the wait: False."""
    count = sum(engine.live() for engine in engines)
    if not count:
        return True
    try:
        _say(f"Waiting for {count} background job{'s' if count > 1 else ''} to end; Ctrl-C leaves them.")
        # A job may add another, in another pool.
        while any(engine.live() and engine.can_work() for engine in engines):
            for engine in engines:
                engine.settle_down(time.monotonic() + 1)
    except KeyboardInterrupt:
        _say("Leaving; the log names the jobs that are lost.")
        return False
    return True


def _say(line: str) -> None:
    # A detached process may have no stderr, or a closed one.
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the contract asks for this line
    except (OSError, ValueError, AttributeError):
        pass
