"""A child never outlives its parent, whatever ends that."""

import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
# sysexits.h: a failure of input or output. The parent is gone, or the channel to it.
GONE = 74
LEAVING_SECONDS = 1.0


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
    poll.poll()
    # One that was idle leaves by itself meanwhile.
    time.sleep(LEAVING_SECONDS)
    os._exit(GONE)
