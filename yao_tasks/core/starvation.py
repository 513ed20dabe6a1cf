"""A watch over the GIL: whether handlers keep the process's other threads waiting.

A thread that wants to wake up every 50 ms sees how late it does. It sleeps for good while nothing runs, and
costs the jobs nothing.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from statistics import fmean

from yao_tasks.core.log import logger

# How often it wants to wake up, and how many times in a row tell a person anything (s, times).
PERIOD = 0.05
SAMPLES = 12
# Four busy threads make others wait some 20 ms each time on average, ten 40 ms; one makes 5 ms of it (s).
LATE = 0.015
# A machine that is busy with something else makes us late, too: only what this process burns counts.
BURNING = 0.3
# How often it looks whether something runs, where that may begin without its being told (s).
NAP = 0.25
# One warning in so long (s).
QUIET = 60.0


class Starvation:
    """Started by the clock when something runs. `running` answers the tasks that run just now, with repeats.

    `expecting`: whether something may start to run without the clock's saying so. `look` is called whenever it
    wakes up: what else wants to be looked at while something runs.
    """

    def __init__(
        self,
        running: Callable[[], list[str]],
        expecting: Callable[[], bool],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self.running = running
        self.expecting = expecting
        self.look = look
        self._wanted = threading.Event()
        self._stop = threading.Event()
        # Guards the start of the thread. Reentrant: a signal handler may close the pools while they are being closed.
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None
        self._warned_at: float | None = None

    def attend(self) -> None:
        """Something runs. Called by the clock."""
        self._wanted.set()
        with self._starting:
            if self._thread is None and not self._stop.is_set():
                thread = threading.Thread(target=self._run, name="yao_tasks-starvation", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the process is about to end
                    return
                self._thread = thread

    def stop(self) -> None:
        """End the thread, and wait for it."""
        with self._starting:
            self._stop.set()
            self._wanted.set()
            if self._thread is not None:
                self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait() and not self._stop.is_set():
            self._watch_for_a_while()
            if self.running():
                continue
            if self.expecting():
                self._stop.wait(NAP)
            else:
                # Asleep until the clock says that something runs. It may have said so just now: look again.
                self._wanted.clear()
                if self.running() or self._stop.is_set():
                    self._wanted.set()

    def _watch_for_a_while(self) -> None:
        late: deque[float] = deque(maxlen=SAMPLES)
        began, burned = time.monotonic(), time.process_time()
        for _ in range(SAMPLES):
            before = time.monotonic()
            if self._stop.wait(PERIOD) or not self.running():
                return
            late.append(time.monotonic() - before - PERIOD)
            self.look()
        busy = (time.process_time() - burned) / (time.monotonic() - began)
        tasks = self.running()
        if tasks and busy >= BURNING and fmean(late) >= LATE:
            self._warn(fmean(late), tasks)

    def _warn(self, seconds: float, tasks: list[str]) -> None:
        now = time.monotonic()
        if self._warned_at is not None and now - self._warned_at < QUIET:
            return
        self._warned_at = now
        names = ", ".join(f"{task} ({tasks.count(task)})" for task in sorted(set(tasks)))
        logger.warning(
            "The other threads of this process, those that answer requests among them, wait %.0f ms each time they "
            "want to go on, while these run: %s. Threads are for work that waits; work that computes belongs "
            "into a process of its own, or takes fewer worker_nums.",
            seconds * 1000,
            names,
            extra={"task": None, "job": None, "attempt": None},
        )
