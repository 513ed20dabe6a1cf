"""A process tells those of its machine that a durable job waits: by a datagram.

Nothing is lost with one that isn't read. Who works durable tasks has a socket in STATE_DIR; the text of a
datagram is the id of a task. Elsewhere, and where there can be no socket, a look every POLL_INTERVAL finds what
has come.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from yao_tasks.core.log import logger
from yao_tasks.core.state import open_folder

PREFIX, ENDING = "wake-", ".sock"
# The longest path of a socket that every system takes.
LONGEST = 100
# What the thread that listens is given to end (s).
LAST_WORD = 1.0
# Longer than a task's id can be, in bytes.
MOST = 1_024


class Ears:
    """The socket of this process, and the thread that reads it."""

    def __init__(self, folder: Path, heard: Callable[[str], object]) -> None:
        """`heard` is called with a task's id, in the thread that listens."""
        self.folder = folder
        self.heard = heard
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._path = folder / f"{PREFIX}{os.getpid()}{ENDING}"

    def open(self) -> None:
        """Listen, if that can be done here."""
        try:
            os.close(open_folder(self.folder))
            if len(os.fsencode(self._path)) > LONGEST:
                raise OSError(f"{self._path} is too long for a socket.")
            self._path.unlink(missing_ok=True)
            here = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                here.bind(os.fspath(self._path))
                self._path.chmod(0o600)
            except OSError:
                here.close()
                raise
        except OSError as error:
            logger.warning("Durable jobs of other processes are found by looking for them alone: %s", error)
            return
        self._socket = here
        self._thread = threading.Thread(target=self._listen, args=(here,), name="yao_tasks-ears", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no longer."""
        here, self._socket = self._socket, None
        if here is not None:
            self._path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                # Wakes the thread up.
                here.shutdown(socket.SHUT_RDWR)
            if self._thread is not None:
                self._thread.join(LAST_WORD)

    def _listen(self, here: socket.socket) -> None:
        with here:
            while self._socket is here:
                try:
                    data = here.recv(MOST)
                except OSError:
                    return
                if data:
                    self.heard(data.decode(errors="replace"))


class Mouth:
    """Tells the others. Any thread may call it; it never waits, and never raises."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mine = f"{PREFIX}{os.getpid()}{ENDING}"
        self._socket: socket.socket | None = None
        self._closed = False
        # Guards both: several threads may tell for the first time. Reentrant: a finalizer may add a job.
        self._guard = threading.RLock()

    def tell(self, task: str) -> None:
        """A job of this task waits."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            return
        out = self._open()
        if out is None:
            return
        for name in names:
            if name.startswith(PREFIX) and name.endswith(ENDING) and name != self._mine:
                self._send(out, os.path.join(self.folder, name), task)

    def close(self) -> None:
        """Tell no more."""
        with self._guard:
            out, self._socket, self._closed = self._socket, None, True
        if out is not None:
            out.close()

    def _open(self) -> socket.socket | None:
        with self._guard:
            if self._socket is None and not self._closed:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            return self._socket

    @staticmethod
    def _send(out: socket.socket, path: str, task: str) -> None:
        try:
            out.sendto(task.encode(), path)
        except ConnectionRefusedError:
            # Left behind by a process that is dead.
            with contextlib.suppress(OSError):
                os.unlink(path)
        except OSError:
            # It has more to read than it can hold, and looks anyway.
            pass
