"""Lines that stay at the bottom of a terminal, below whatever else the process writes to it.

12:00:01 WARNING mail: run 1 of job 7 failed …      <- scrolls, as ever
mail 8    [########--------] 5 of 10, 4 s, 4 s left  <- drawn again and again
                                                        the cursor rests at the start of the first of them
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

# Between two drawings (s): those who read seconds see each of them.
PAUSE = 0.5
ERASE_BELOW = "\x1b[J"
UP = "\x1b[{}A"

Draw = Callable[[int, int], list[str]]
"""Called with the columns and rows there are: the lines, none of them wider or more."""


def fits(stream: TextIO) -> bool:
    """Whether lines can be drawn there: a terminal, and one that knows how to go up."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Bottom:
    """The lines of one terminal, as a context. A thread of its own draws them."""

    def __init__(self, terminal: TextIO, draw: Draw) -> None:
        self._terminal = terminal
        self._draw = draw
        self._told = threading.Event()
        # Guards the terminal itself, so it is held while that is written to: two who write at once would tear each
        # other's lines. Reentrant: a signal handler, or a finalizer, may write, too.
        self._lock = threading.RLock()
        self._shown: list[str] = []
        self._is_mid_line = False
        self._thread = threading.Thread(target=self._keep_drawing, name="yao_tasks-lines", daemon=True)
        self._undo: list[Callable[[], object]] = []

    def __enter__(self) -> "Bottom":
        self._put_streams_above()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._told.set()
        self._thread.join()
        self._show([])
        for undo in self._undo:
            undo()

    def write(self, stream: TextIO, text: str) -> int:
        """Write something above the lines. Raises what the stream raises."""
        with self._lock:
            if self._shown:
                self._terminal.write(ERASE_BELOW)
                self._terminal.flush()
            written = stream.write(text)
            stream.flush()
            self._is_mid_line = not text.endswith("\n") if text else self._is_mid_line
            shown, self._shown = self._shown, []
        # Unless its line goes on: then with the next drawing.
        self._show(shown)
        return written

    def _keep_drawing(self) -> None:
        while not self._told.wait(PAUSE):
            if not self._show(self._draw(*_size(self._terminal))):
                return

    def _show(self, lines: list[str]) -> bool:
        """Have these lines at the bottom. False where the terminal is gone."""
        with self._lock:
            if self._is_mid_line or lines == self._shown:
                return True
            back = UP.format(len(lines) - 1) if len(lines) > 1 else ""
            self._shown = lines
            try:
                self._terminal.write(ERASE_BELOW + "\n".join(lines) + "\r" + back)
                self._terminal.flush()
            except (OSError, ValueError):
                # Whoever read it is gone: that ends no job.
                return False
        return True

    def _put_streams_above(self) -> None:
        """Have what is printed and logged from now on written above the lines."""
        for name in ("stdout", "stderr"):
            stream = cast("TextIO", getattr(sys, name))
            if not stream.isatty():
                continue
            above = cast("TextIO", Above(self, stream))
            setattr(sys, name, above)
            self._undo.append(lambda name=name, stream=stream: setattr(sys, name, stream))  # type: ignore[misc]
            for handler in _handlers():
                if handler.stream is stream:
                    handler.setStream(above)
                    self._undo.append(lambda handler=handler, stream=stream: handler.setStream(stream))  # type: ignore[misc]


class Above:
    """A stream of the process: what is written to it goes above the lines."""

    def __init__(self, bottom: Bottom, stream: TextIO) -> None:
        self._bottom = bottom
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it; how many characters that were."""
        return self._bottom.write(self._stream, text)

    def writelines(self, lines: list[str]) -> None:
        """Write them, as they are."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _handlers() -> Iterator["logging.StreamHandler[Any]"]:
    loggers = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        # Some are places for what may come.
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler):
                yield handler


def _size(terminal: TextIO) -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(terminal.fileno())
    except (OSError, ValueError):
        columns, rows = 80, 24
    # One of no size is one that hasn't said it.
    return columns or 80, rows or 24
