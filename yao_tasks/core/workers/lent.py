"""Threads for what coroutines can't do themselves: a few for all of them, each lent to one run at a time.

    submit -> the run has a thread already: into its inbox
           -> one is free, or may be started: lent to the run until `give_back`
           -> none: the run waits in line for the next that is given back

So two runs never share a thread, nor what belongs to it, as a database connection does.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from yao_tasks.core.current import Marker, marker
from yao_tasks.core.jobs import RUNNING, Job
from yao_tasks.core.log import logger

ResultT = TypeVar("ResultT")
Inbox = SimpleQueue[Callable[[], object] | None]
Run = tuple[Job, int]


class Loan:
    """A thread that is lent, or is to be. `of`: the run, or event, that it works for."""

    __slots__ = ("calls", "inbox", "kept", "of")

    def __init__(self, of: Marker | None, *, kept: bool) -> None:
        self.of = of
        self.kept = kept
        self.inbox: Inbox | None = None
        # Until a thread is there to take them.
        self.calls: list[Callable[[], object]] = []


class LentThreads(Executor):
    """At most so many threads. `keeping`: a run keeps its thread until its end; else each call may have another.

    Any thread may call any method. Its threads are daemons: the process waits for none of them.
    """

    def __init__(self, name: str, most: int, *, keeping: bool) -> None:
        self.name = name
        self.most = most
        self.keeping = keeping
        self.threads: dict[int, threading.Thread] = {}
        self.loans: dict[Run, Loan] = {}
        self._free: list[Inbox] = []
        self._line: deque[Loan] = deque()
        self._numbers = itertools.count(1)
        self._stopped = False
        # Guards all of these. Reentrant: a finalizer may come, and have something called.
        self._guard = threading.RLock()

    def submit(self, function: Callable[..., ResultT], /, *args: Any, **kwargs: Any) -> Future[ResultT]:
        """Call the function in a thread of the calling run's. RuntimeError where there is none, and none can start."""
        future: Future[ResultT] = Future()
        call = partial(_call, future, partial(function, *args, **kwargs))
        of = marker()
        with self._guard:
            if self._stopped:
                raise RuntimeError("The pools of this process were closed.")
            loan = None if of is None else self.loans.get(of[:2])
            if loan is None:
                loan = self._lend(of)
            if loan.inbox is None:
                loan.calls.append(call)
            else:
                loan.inbox.put(call)
                if not loan.kept:
                    loan.inbox.put(partial(self._hand_on, loan))
        return future

    def give_back(self, job: Job, attempt: int) -> None:
        """A run is over: its thread is free for another, after what it is just doing."""
        if not self.loans:
            return
        with self._guard:
            loan = self.loans.pop((job, attempt), None)
            if loan is None:
                return
            if loan.inbox is not None:
                loan.inbox.put(partial(self._hand_on, loan))
            else:
                # It still stands in line; what it wanted called has been cancelled, or will be called once.
                loan.kept = False

    def warm(self) -> None:
        """Have one thread ready, where it is now or never."""
        with self._guard:
            if not self.threads and (inbox := self._started()) is not None:
                self._free.append(inbox)

    def all(self) -> list[threading.Thread]:
        """The threads that there are just now."""
        with self._guard:
            return list(self.threads.values())

    def stop(self) -> None:
        """End the threads, each after what it is just doing."""
        with self._guard:
            self._stopped = True
            inboxes, self._free = self._free, []
        for inbox in inboxes:
            inbox.put(None)

    def _lend(self, of: Marker | None) -> Loan:
        # One whose run is over, as of a task that it left behind, gets a thread for this one call.
        keeps = self.keeping and of is not None and of[0].status == RUNNING and of[0].attempt == of[1]
        loan = Loan(of, kept=keeps)
        if self._free:
            # The one that was used last: others may stay asleep.
            loan.inbox = self._free.pop()
        elif len(self.threads) < self.most and (inbox := self._started()) is not None:
            loan.inbox = inbox
        elif self.threads:
            self._line.append(loan)
        else:
            raise RuntimeError("No thread could be started for what a coroutine leaves to one.")
        if keeps and of is not None:
            self.loans[of[:2]] = loan
        return loan

    def _started(self) -> Inbox | None:
        inbox: Inbox = SimpleQueue()
        number = next(self._numbers)
        thread = threading.Thread(
            target=self._work, args=(inbox, number), name=f"yao_tasks-{self.name}-{number}", daemon=True
        )
        self.threads[number] = thread
        try:
            thread.start()
        except RuntimeError:  # the process is about to end
            del self.threads[number]
            return None
        return inbox

    def _work(self, inbox: Inbox, number: int) -> None:
        try:
            while (call := inbox.get()) is not None:
                call()
                del call
        finally:
            with self._guard:
                del self.threads[number]

    def _hand_on(self, loan: Loan) -> None:
        """In the thread that was lent: it is free again, or somebody else's."""
        inbox = loan.inbox
        assert inbox is not None
        _tidy(loan.of)
        with self._guard:
            if self._stopped:
                inbox.put(None)
            elif not self._line:
                self._free.append(inbox)
            else:
                following = self._line.popleft()
                following.inbox = inbox
                for call in following.calls:
                    inbox.put(call)
                following.calls.clear()
                if not following.kept:
                    inbox.put(partial(self._hand_on, following))


def _tidy(of: Marker | None) -> None:
    if of is None:
        return
    reporter = of[2]
    try:
        reporter.tidy(reporter.life.task)
    except BaseException:  # noqa: BLE001 - foreign code, as a database's driver
        logger.exception("%s: a thread couldn't be tidied.", reporter.life.task)


def _call(future: Future[ResultT], function: Callable[[], ResultT]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except StopIteration as exception:
        # No future can carry one: who waits for it would wait for ever.
        future.set_exception(RuntimeError(f"a function called in a thread raised {exception!r}"))
    except BaseException as exception:  # noqa: BLE001 - it belongs to who called
        # Without this very frame, which would keep itself alive.
        trace = exception.__traceback__
        future.set_exception(exception.with_traceback(trace and trace.tb_next))
    else:
        future.set_result(result)
