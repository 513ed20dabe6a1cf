"""A child as its parent holds it: a process, a pidfd, a channel. Killed by the pidfd only: a pid may be another's."""

import os
import select
import signal
import subprocess
import threading
import time
import weakref
from typing import Any

from yao_tasks.core.children.frames import Channel

# A child that was killed is dead in milliseconds; one in the middle of a disk's reply takes longer (s).
DYING_SECONDS = 5.0

_all: "weakref.WeakSet[Child]" = weakref.WeakSet()


class Child:
    """A process that runs handlers. Belongs to one worker; any thread may call `kill` and `terminate`."""

    def __init__(self, process: "subprocess.Popen[bytes]", channel: Channel) -> None:
        self.process = process
        self.pid = process.pid
        self.channel = channel
        self.pidfd = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
        # Guards these two: a run that is over must not be killed any more, since another has begun. Reentrant, as
        # the other: a finalizer that cancels the job may come while it is held.
        self.guard = threading.RLock()
        self.run: tuple[int, int] | None = None
        self.is_killed = False
        self.jobs = 0
        # Guards the pidfd against being used when it is closed.
        self._ending = threading.RLock()
        _all.add(self)

    def kill(self) -> None:
        """End it at once, whatever it does. Its channel ends with it, even where others hold copies."""
        self.is_killed = True
        self._signal(signal.SIGKILL)
        self.channel.hang_up()

    def terminate(self) -> None:
        """Ask it to end, as SIGTERM does: a handler may have something to put away."""
        self.is_killed = True
        self._signal(signal.SIGTERM)

    def is_dead(self, seconds: float = 0.0) -> bool:
        """Whether it has ended; waits so long for that."""
        with self._ending:
            if self.process.returncode is not None:
                return True
            pidfd = None if self.pidfd is None else os.dup(self.pidfd) if seconds else self.pidfd
            if pidfd is None:
                return self._is_dead_by_wait(seconds)
            if not seconds:
                return _is_readable(pidfd, 0.0)
        try:
            return _is_readable(pidfd, seconds)
        finally:
            os.close(pidfd)

    def epitaph(self) -> str:
        """Wait for its end, kill it if need be, and say how it ended. Reaps it."""
        if not self.is_dead(1.0):
            self.kill()
        self.bury(DYING_SECONDS)
        return described(self.process.returncode)

    def bury(self, seconds: float = 0.0) -> bool:
        """Reap it, if it ends within that time: False if it doesn't. Any thread; a second time does nothing."""
        if not self.is_dead(seconds):
            return False
        with self._ending:
            self.process.wait()
            if self.pidfd is not None:
                os.close(self.pidfd)
                self.pidfd = None
        self.channel.close()
        return True

    def memory(self) -> int:
        """Its resident memory in bytes; 0 where that can't be known."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return 0

    def forget(self) -> None:
        """In a fork of the parent: it is the parent's, and so is the other end of its channel."""
        self.process.returncode = 0
        self.channel.close()
        if self.pidfd is not None:
            os.close(self.pidfd)

    def _signal(self, number: int) -> None:
        with self._ending:
            if self.process.returncode is not None:
                return
            try:
                if self.pidfd is not None:
                    signal.pidfd_send_signal(self.pidfd, number)  # type: ignore[attr-defined,unused-ignore]
                else:
                    # Not reaped yet, so the pid can't be another's.
                    os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def _is_dead_by_wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        return self.process.returncode is not None


def described(returncode: int | None) -> str:
    """How a process ended, in words."""
    if returncode is None:
        return "doesn't end"
    if returncode >= 0:
        return f"exited with status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = "unknown"
    hint = "; out of memory?" if -returncode == signal.SIGKILL else ""
    return f"was killed by signal {-returncode} ({name}{hint})"


def _is_readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _after_fork(*_: Any) -> None:
    for child in list(_all):
        child.forget()
    _all.clear()


os.register_at_fork(after_in_child=_after_fork)
