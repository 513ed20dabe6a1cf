"""What has to be done when a job has ended, out of the way of whoever ended it."""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from yao_tasks.core.log import logger

_EXTRA = {"task": None, "job": None, "attempt": None}
# While the last of it is done (s).
LOOK = 0.01


class Errands:
    """One thread, started with the first of them. Any thread may call any method but `_run`."""

    def __init__(self) -> None:
        self._closed = False
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # The threads that work the queue themselves just now.
        self._working: set[int] = set()
        # Guards the start and the end of the thread.
        self._guard = threading.RLock()
        self._thread: threading.Thread | None = None

    def put(self, errand: Callable[[], None], *, here: bool) -> None:
        """Have it done, by the thread; `here`: by the calling one, which comes back when nothing is left to do."""
        self._waiting.put(errand)
        if here:
            self._work()
        elif self._thread is None:
            self._start()

    def has_some(self) -> bool:
        """Whether some wait."""
        return not self._waiting.empty()

    def close(self, deadline: float) -> None:
        """Do what waits until the deadline (monotonic seconds) at most, and end the thread."""
        while self.has_some() and time.monotonic() < deadline:
            time.sleep(LOOK)
        with self._guard:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            if thread is not threading.current_thread():
                thread.join()

    def _start(self) -> None:
        with self._guard:
            if self._thread is not None or self._closed:
                return
            self._thread = threading.Thread(target=self._run, name="yao_tasks-workflows", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the process is about to end
                self._thread = None

    def _run(self) -> None:
        while (errand := self._waiting.get()) is not None:
            try:
                errand()
            except Exception:  # noqa: BLE001 - one workflow at fault must not stop all others
                logger.exception("What follows the end of a workflow's job could not be done.", extra=_EXTRA)

    def _work(self) -> None:
        ident = threading.get_ident()
        if ident in self._working:
            # It is on the way further up.
            return
        self._working.add(ident)
        try:
            while (errand := self._waiting.get_nowait()) is not None:
                errand()
        except Empty:
            pass
        finally:
            self._working.discard(ident)
