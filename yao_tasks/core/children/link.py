"""A child's side of the connection: it tells and asks its parent, and takes what comes.

No thread of its own reads: who waits for something does, and takes what others wait for, too. So a job is drawn
without a hop from one thread to another.
"""

import itertools
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from yao_tasks.core.children.frames import Channel, Frame

Run = tuple[int, int]
"""A job's id, and the number of its run."""


class Link:
    """Any thread of a child may call any method but `next_order`, which is for the main one."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.pid = os.getpid()
        # The run that is under way.
        self.run: Run | None = None
        # The numbers of the calls that added something in a transaction whose end was never told.
        self.dropped: SimpleQueue[tuple[int, bool]] = SimpleQueue()
        self._closing = False
        self._numbers = itertools.count(1)
        self._answers: dict[int, tuple[bool, Any]] = {}
        self._orders: deque[Frame] = deque()
        # Guards what has come, and who reads.
        self._news = threading.Condition()
        self._is_reading = False
        self._reader = 0

    def next_number(self) -> int:
        """A number for a call."""
        return next(self._numbers)

    def tell(self, frame: Frame) -> None:
        """Tell the parent something. RuntimeError in a process that was forked from this one."""
        self._refuse_forks()
        self.channel.send(frame)

    def tell_dropped(self) -> None:
        """Tell of the transactions that were rolled back. From no finalizer: those only put into `dropped`."""
        while not self.dropped.empty():
            try:
                number, _ = self.dropped.get_nowait()
            except Empty:
                return
            self.tell(["rollback", number])

    def ask(self, frame: Frame, number: int | None = None) -> tuple[bool, Any]:
        """Ask the parent, and wait for the answer: whether it is one, or else an exception; and its value.

        `frame`: the kind, then what is asked. ValueError where that is too long; RuntimeError outside a run.
        """
        if self.run is None:
            raise RuntimeError(
                "No job runs in this process just now: a thread that a handler left behind can't add any."
            )
        if self.channel.is_sending_here or (self._is_reading and self._reader == threading.get_ident()):
            raise RuntimeError(
                "A finalizer or a signal handler has called this in the middle of another call of this very thread, "
                "which it would wait for. Let the job's handler call it."
            )
        kind, *rest = frame
        chosen = self.next_number() if number is None else number
        self.tell([kind, chosen, *rest])
        self._wait_for(lambda: chosen in self._answers)
        return self._answers.pop(chosen)

    def next_order(self) -> Frame:
        """Wait for the next run, or another setup. Raises Closed when the parent has no more work."""
        self._wait_for(lambda: bool(self._orders))
        return self._orders.popleft()

    @property
    def is_closing(self) -> bool:
        """Whether the pool is being closed."""
        while not self._closing and not self._is_reading and self._has_come():
            self._wait_for(lambda: True, look=True)
        return self._closing

    def begin(self, run: Run, *, closing: bool) -> None:
        """A run begins."""
        self.run, self._closing = run, closing

    def _has_come(self) -> bool:
        # It may have come in with the order before it.
        if self.channel.holds_frame:
            return True
        poll = select.poll()
        poll.register(self.channel.sock, select.POLLIN)
        return bool(poll.poll(0))

    def _wait_for(self, has_come: Callable[[], bool], *, look: bool = False) -> None:
        """Wait until it has come. `look`: take one frame that is there."""
        with self._news:
            while look or not has_come():
                if self._is_reading:
                    self._news.wait()
                    continue
                self._reader = threading.get_ident()
                self._is_reading = True
                self._news.release()
                try:
                    frame = self.channel.receive()
                finally:
                    self._news.acquire()
                    self._is_reading = False
                    self._news.notify_all()
                self._sort(frame)
                look = False

    def _sort(self, frame: Frame) -> None:
        match frame:
            case ["answer", int(number), bool(done), value]:
                self._answers[number] = (done, value)
            case ["stop"]:
                self._closing = True
            case _:
                self._orders.append(frame)

    def _refuse_forks(self) -> None:
        if os.getpid() != self.pid:
            raise RuntimeError(
                "This process was forked from a process worker, and is none: what it wants to tell or ask, "
                "the handler itself has to."
            )


here: Link | None = None
"""The link of this process, if it is a child."""


def open_link(channel: Channel) -> Link:
    """This process is a child from now on."""
    global here
    here = Link(channel)
    # A fork has a copy of the channel, and would keep its parent from seeing this process end.
    os.register_at_fork(after_in_child=channel.close)
    return here
