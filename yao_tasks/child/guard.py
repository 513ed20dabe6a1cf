"""A child never outlives its parent, whatever ends that."""

import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time

from yao_tasks.child.priority import session_stands_back

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
# sysexits.h: a failure of input or output. The parent is gone, or the channel to it.
GONE = 74
LEAVING_SECONDS = 1.0
# Linux changes the weight of one session in a tenth of a second, of whoever asks first (ms).
AGAIN = 100


def end_with(parent: int, sock: socket.socket) -> None:
    """End this process when its parent ends: by the kernel's word, and where that has none, by the channel's end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have ended before that.
    if os.getppid() != parent:
        os._exit(GONE)
    threading.Thread(target=_watch, args=(sock.fileno(),), name="yao_tasks-guard", daemon=True).start()


def _watch(descriptor: int) -> None:
    poll = select.poll()
    # Nothing is asked for: a hang-up is told all the same.
    poll.register(descriptor, 0)
    wait: int | None = 0
    while not poll.poll(wait):
        # Not all at the same moment again.
        wait = None if session_stands_back() else AGAIN + os.getpid() % AGAIN
    # One that was idle leaves by itself meanwhile.
    time.sleep(LEAVING_SECONDS)
    os._exit(GONE)
