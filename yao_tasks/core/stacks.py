"""Where other threads are just now, as text.

Walking from frame to frame in Python lets those threads go on meanwhile, and a frame that is left, or a generator that
is suspended, under the walker's feet has crashed CPython 3.11. `faulthandler` writes all of them down in one call in C,
during which no other thread runs.
"""

import faulthandler
import linecache
import os
import re
import sys
import tempfile
from collections.abc import Collection
from typing import IO

# The outermost of a longer stack are ours and the interpreter's.
MOST_FRAMES = 30
_THREAD = re.compile(r"^(?:Current thread|Thread) 0x([0-9a-f]+) .*\(most recent call first\):$")
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$')


def of_threads(idents: Collection[int]) -> dict[int, str]:
    """The stacks of these threads as `traceback` formats them, the innermost frame last; of ended ones none."""
    if not idents:
        return {}
    with _file() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        found = _parsed(file.read(), idents)
    # It stops after a hundred threads.
    tops = sys._current_frames()
    for ident in idents:
        if ident not in found and ident in tops:
            frame = tops[ident]
            found[ident] = _line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)
    return found


def _file() -> IO[str]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stacks", os.MFD_CLOEXEC), "w+", encoding="utf-8", errors="replace")
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def _parsed(text: str, idents: Collection[int]) -> dict[int, str]:
    stacks: dict[int, list[str]] = {}
    frames: list[str] | None = None
    for line in text.splitlines():
        if thread := _THREAD.match(line):
            ident = int(thread[1], 16)
            frames = stacks.setdefault(ident, []) if ident in idents else None
        elif frames is not None and len(frames) < MOST_FRAMES and (frame := _FRAME.match(line)):
            frames.append(_line(frame[1], int(frame[2]), frame[3]))
    return {ident: "".join(reversed(lines)) for ident, lines in stacks.items() if lines}


def _line(file: str, number: int, function: str) -> str:
    source = linecache.getline(file, number).strip()
    return f'  File "{file}", line {number}, in {function}\n' + (f"    {source}\n" if source else "")
