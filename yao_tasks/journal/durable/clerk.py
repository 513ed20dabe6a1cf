"""The one thread of a process that works durable jobs: it writes their ends, and claims the next.

    workers --ends--> .                                          .--settled--> waiters, events
    commits --hints-> | clerk: one transaction, as often as due  |
    a look a second-> '                                          '--claims---> workers

What piles up while a transaction is under way goes into the next: so batches form by themselves under load, and a
single end is written at once. While the database is away nothing is claimed, and what has ended is kept.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.core.faults import printable
from yao_tasks.core.log import logger
from yao_tasks.journal.durable import claims, endings
from yao_tasks.journal.durable.claims import Claim
from yao_tasks.journal.durable.desks import Claimant, Desk, wishes
from yao_tasks.journal.durable.endings import Ending, SomeRefused

# While the database is away (s).
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_EXTRA = {"task": None, "job": None, "attempt": None}

Then = Callable[[bool], None]
"""Called by the clerk once an end is committed; with False where it was refused."""


class Chores(Protocol):
    """What else the clerk does with its connection, in its thread. Each raises django.db.Error."""

    def begin(self, connection: BaseDatabaseWrapper) -> int:
        """This process works from now on. Answers the key of its row."""

    def now(self) -> float:
        """Seconds since 1970, by the database's clock as it was last asked."""

    def look(self, connection: BaseDatabaseWrapper) -> None:
        """Called every POLL_INTERVAL: leases, sweeps, pauses, each when it is due."""

    def end(self, connection: BaseDatabaseWrapper) -> None:
        """This process works no longer."""


class Clerk:
    """Any thread may call any method but those with an underscore."""

    def __init__(
        self,
        database: str,
        chores: Chores,
        *,
        poll: float,
        token: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`poll`: seconds between two looks at what others have added. `token` makes one for each claim."""
        self.database = database
        self.chores = chores
        self.poll = poll
        self.token = token
        self.monotonic = monotonic
        self.away_since: float | None = None
        """Since when the database can't be used (monotonic); None: it can."""
        self.desks: dict[str, Desk] = {}
        # What came in, and whether the thread has been told of it.
        self._ends: deque[tuple[Ending, Then]] = deque()
        self._hints: deque[tuple[str, int]] = deque()
        self._unstarted: deque[Claim] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False
        # Guards the start of the thread.
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop_at: float | None = None
        # From here on only the clerk's own thread reads and writes.
        self._over: list[tuple[Ending, Then]] = []
        self._returns: list[Claim] = []
        self._claimed: dict[int, tuple[Desk, Claim]] = {}
        self._owner: int | None = None
        self._next_look = 0.0
        self._failures = 0

    def start(self) -> None:
        """Start the thread, once. RuntimeError where the process starts no more threads."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="yao_tasks-clerk", daemon=True)
                thread.start()
                self._thread = thread

    def employ(self, claimant: Claimant) -> None:
        """Claim jobs for this pool from now on."""
        self.desks.setdefault(claimant.task, Desk(claimant))
        self.ring()

    def hint(self, task: str, job_id: int) -> None:
        """A job was committed, or has become due."""
        self._hints.append((task, job_id))
        self.ring()

    def look(self, task: str) -> None:
        """There may be something to claim for this task, or there is room for more."""
        desk = self.desks.get(task)
        if desk is not None:
            desk.more = True
            self.ring()

    def over(self, ending: Ending, then: Then) -> None:
        """A run is over: have that written, and `then` called."""
        self._ends.append((ending, then))
        self.ring()

    def give_back(self, claim: Claim) -> None:
        """A job that was claimed won't be started here: let it wait again."""
        self._unstarted.append(claim)
        self.ring()

    def ring(self) -> None:
        """There is something to do."""
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def stop(self, seconds: float) -> bool:
        """Write what is left within that time, and end the thread. False if something was left unwritten."""
        with self._starting:
            thread = self._thread
        if thread is None:
            return True
        self._stop_at = self.monotonic() + seconds
        self._bell.put(None)
        thread.join(seconds + 1.0)
        return not thread.is_alive() and not self._over

    def _run(self) -> None:
        while True:
            try:
                self._take_turn()
            except Exception as error:  # noqa: BLE001 - a clerk that stops would stop all durable work
                self._failed(error)
            stop_at = self._stop_at
            if stop_at is not None and (not self._has_work() or self.monotonic() >= stop_at):
                break
            self._wait()
        self._leave()

    def _has_work(self) -> bool:
        return bool(self._over or self._ends or self._returns or self._unstarted)

    def _wait(self) -> None:
        """Wait for the bell, or for the next look."""
        if self._failures:
            # Rung or not: no hot loop.
            time.sleep(PAUSES[min(self._failures, len(PAUSES)) - 1])
            return
        try:
            self._bell.get(timeout=max(0.0, self._next_look - self.monotonic()))
            while True:
                self._bell.get_nowait()
        except Empty:
            pass

    def _take_turn(self) -> None:
        self._rung = False
        self._take_in()
        connection = connections[self.database]
        if self._owner is None:
            self._owner = self.chores.begin(connection)
        if self.monotonic() >= self._next_look:
            self._look(connection)
        self._write_and_claim(connection)
        self._returned_to_service()

    def _take_in(self) -> None:
        while self._ends:
            self._over.append(self._ends.popleft())
        while self._unstarted:
            self._returns.append(self._unstarted.popleft())
        while self._hints:
            task, job_id = self._hints.popleft()
            desk = self.desks.get(task)
            if desk is not None:
                desk.hint(job_id)

    def _look(self, connection: BaseDatabaseWrapper) -> None:
        """What is done once a POLL_INTERVAL."""
        self.chores.look(connection)
        self._find_lost(connection)
        now = self.chores.now()
        for desk in list(self.desks.values()):
            desk.look(connection, now)
        self._next_look = self.monotonic() + self.poll

    def _find_lost(self, connection: BaseDatabaseWrapper) -> None:
        """Compare what this process holds with its rows: somebody may have cancelled, or a commit be unsure."""
        assert self._owner is not None
        held = endings.held(connection, self._owner)
        for key, (desk, claim) in list(self._claimed.items()):
            if (key, claim.token) not in held:
                del self._claimed[key]
                desk.claimant.taken_away(claim)
        unknown = {key for key in held if key[0] not in self._claimed}
        if unknown:
            endings.give_back(connection, sorted(unknown))

    def _write_and_claim(self, connection: BaseDatabaseWrapper, *, singly: bool = False) -> None:
        """One transaction: ends, progress, what is given back, and claims."""
        over, returns = list(self._over), list(self._returns)
        desks = [] if self._stop_at is not None else list(self.desks.values())
        wanted = wishes(desks, sum(claim.suspect for _, claim in self._claimed.values()))
        reports = [report for desk in list(self.desks.values()) for report in desk.claimant.reports()]
        if not (over or returns or wanted or reports):
            return
        assert self._owner is not None
        try:
            with self._block(connection, len(over) + len(returns) + len(reports) + len(wanted)):
                refused = endings.write(connection, [ending for ending, _ in over], singly=singly)
                endings.give_back(connection, [(claim.id, claim.token) for claim in returns])
                endings.report(connection, reports)
                now = self.chores.now()
                found = [
                    (
                        desk,
                        wish,
                        claims.claim(connection, wish, owner=self._owner, token=self.token(), now=now),
                    )
                    for desk, wish in wanted
                ]
        except SomeRefused:
            self._write_and_claim(connection, singly=True)
            return
        self._over, self._returns = [], []
        for claim in returns:
            self._claimed.pop(claim.id, None)
        for ending, then in over:
            self._claimed.pop(ending.id, None)
            then(ending.id not in refused)
        for desk, wish, claimed in found:
            self._deliver(desk, wish, claimed)

    def _block(self, connection: BaseDatabaseWrapper, statements: int) -> AbstractContextManager[object]:
        # What is one statement needs no BEGIN and no COMMIT. MySQL's claims are two.
        alone = statements == 1 and connection.vendor != "mysql"
        return nullcontext() if alone else transaction.atomic(using=self.database)

    def _deliver(self, desk: Desk, wish: claims.Wish, claimed: list[Claim]) -> None:
        desk.claimed(wish, len(claimed))
        for claim in claimed:
            self._claimed[claim.id] = (desk, claim)
        for claim in desk.claimant.adopt(claimed):
            self.give_back(claim)

    def _failed(self, error: Exception) -> None:
        if not self._failures:
            self.away_since = self.monotonic()
            logger.error(
                "Durable jobs can't be claimed or ended just now, which is tried again: %s",
                printable(str(error).strip() or type(error).__name__),
                exc_info=error,
                extra=_EXTRA,
            )
        self._failures += 1
        self._close_connection()

    def _returned_to_service(self) -> None:
        if self._failures and self.away_since is not None:
            seconds = self.monotonic() - self.away_since
            logger.warning("Durable jobs are claimed and ended again, after %.0f s.", seconds, extra=_EXTRA)
        self._failures = 0
        self.away_since = None

    def _leave(self) -> None:
        # The database may be away: others find out by themselves.
        with suppress(Exception):
            if self._owner is not None:
                self.chores.end(connections[self.database])
        self._close_connection()

    def _close_connection(self) -> None:
        try:
            connections[self.database].close()
        except Exception:  # noqa: BLE001 - it may be broken in any way
            del connections[self.database]
