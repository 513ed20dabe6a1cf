"""A child leaves the processor to whoever answers people: no page waits for a job that computes.

What a handler starts, threads and programs, inherits that.
"""

import ctypes
import os
import struct
import sys

# nice(2): the parent, at 0, is given ten times as much of a processor that both want.
NICENESS = 10
# Linux (from 6.12) has a thread that wakes up wait for the turn of the one that runs to be over, up to a tick of 4 ms,
# but not where its own turns are the shorter ones (ns). Longer ones than this keep a page waiting where much else runs.
SLICE = 20_000_000

# sched_setattr(2), by machine, for which C has no function.
_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
_KEEP_POLICY = 0x08
# Its size, policy, flags, niceness, priority, and the slice; a deadline and a period have others.
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")


def stand_back() -> None:
    """Take turns after others, and longer ones. To be called before there are other threads."""
    try:
        niceness = os.nice(NICENESS)
    except OSError:  # a sandbox that forbids it: it works all the same
        return
    number = _SET_ATTRIBUTES.get(os.uname().machine) if sys.platform == "linux" else None
    if number is not None:
        attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, 0, _KEEP_POLICY, niceness, 0, SLICE, 0, 0)
        # An older Linux ignores it, or refuses: then a page may wait for a tick.
        ctypes.CDLL(None).syscall(number, 0, attributes, 0)


def session_stands_back() -> bool:
    """Where Linux weighs sessions rather than processes, make this one light, too. False: not now, try again."""
    # sched(7), "The autogroup feature": there, niceness counts within a session, and a child has one of its own.
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write(str(NICENESS))
    except BlockingIOError:
        return False
    except OSError:  # no such thing here
        pass
    return True
