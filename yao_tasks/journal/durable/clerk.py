"""The one thread of a process that works durable jobs: it writes their ends, and claims the next.

    workers --ends--> .                                          .--settled--> waiters, events
    commits --hints-> | clerk: one transaction, as often as due  |
    a look a second-> '                                          '--claims---> workers

What piles up while a transaction is under way goes into the next: so batches form by themselves under load, and a
single end is written at once. While the database is away nothing is claimed, and what has ended is kept.
"""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.connections import drop
from yao_tasks.core.faults import printable
from yao_tasks.core.log import logger
from yao_tasks.journal.durable import claims, endings, flows
from yao_tasks.journal.durable.chores import Chores
from yao_tasks.journal.durable.claims import Claim, Wish
from yao_tasks.journal.durable.desks import WEIGHT, Claimant, Desk, wishes
from yao_tasks.journal.durable.endings import Ending, SomeRefused
from yao_tasks.journal.durable.flows import Added
from yao_tasks.journal.durable.holdings import Holdings
from yao_tasks.journal.durable.inbox import Inbox, Then

# After a turn with so many ends the next may wait for as many: so long at most, looking so often (s).
CROWD = 8
GAP = 0.003
STEP = 0.0002
# While the database is away (s).
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_EXTRA = {"task": None, "job": None, "attempt": None}


class Clerk:
    """Any thread may call any method but those with an underscore."""

    def __init__(
        self,
        database: str,
        chores: Chores,
        *,
        poll: float,
        token: Callable[[], int],
        next_id: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`poll`: seconds between two looks at what others have added. `token` makes one for each claim, `next_id` an
        id for a job that a workflow adds."""
        self.database = database
        self.chores = chores
        self.poll = poll
        self.token = token
        self.next_id = next_id
        self.monotonic = monotonic
        self.away_since: float | None = None
        """Since when the database can't be used (monotonic); None: it can."""
        self.desks: dict[str, Desk] = {}
        self.inbox = Inbox()
        # Guards the start of the thread.
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None
        self._stop_at: float | None = None
        # From here on only the clerk's own thread reads and writes.
        self._over: list[tuple[Ending, Then]] = []
        self._returns: list[Claim] = []
        self._held = Holdings()
        # Of the ends, those that may have been committed though it was said that they were not.
        self._unsure: set[int] = set()
        self._owner: int | None = None
        self._next_look = 0.0
        # How long a transaction and what follows it take, of late (s).
        self._turn = 0.0
        # How many ends the last one wrote.
        self._last = 0
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
        self.inbox.ring()

    def look(self, task: str) -> None:
        """There may be something to claim for this task, or there is room for more."""
        desk = self.desks.get(task)
        if desk is not None:
            desk.more = True
            self.inbox.ring()

    def stop(self, seconds: float) -> bool:
        """Write what is left within that time, and end the thread. False if something was left unwritten."""
        with self._starting:
            thread = self._thread
        if thread is None:
            return True
        self._stop_at = self.monotonic() + seconds
        self.inbox.ring()
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
        return bool(self._over or self._returns or self.inbox.has_ends())

    def _wait(self) -> None:
        """Wait for the bell, or for the next look."""
        if self._failures:
            # Rung or not: no hot loop.
            time.sleep(PAUSES[min(self._failures, len(PAUSES)) - 1])
            return
        self.inbox.wait(max(0.0, self._next_look - self.monotonic()))
        self._let_gather()

    def _let_gather(self) -> None:
        """Under load, let short jobs come to their ends: one large transaction costs little more than a small one."""
        if self._last < CROWD or self._stop_at is not None:
            return
        until = self.monotonic() + min(GAP, self._turn)
        while len(self.inbox.ends) < len(self._held) and self.monotonic() < until:
            time.sleep(STEP)

    def _take_turn(self) -> None:
        self._take_in()
        connection = connections[self.database]
        if self._owner is None:
            self._owner = self.chores.begin(connection)
        if self.monotonic() >= self._next_look:
            self._look(connection)
        self._write_and_claim(connection)
        self._recovered()

    def _take_in(self) -> None:
        """Take what came in; what comes from now on rings again."""
        self.inbox.hear()
        self._over += self.inbox.take(self.inbox.ends)
        self._returns += self.inbox.take(self.inbox.unstarted)
        for ending, then in self.inbox.take(self.inbox.written):
            self._held.let_out(ending.id, ending)
            then(True)
        for task, job_id in self.inbox.take(self.inbox.hints):
            desk = self.desks.get(task)
            if desk is not None:
                desk.hint(job_id)

    def _look(self, connection: BaseDatabaseWrapper) -> None:
        """What is done once a POLL_INTERVAL."""
        self.chores.look(connection)
        assert self._owner is not None
        self._held.compare(connection, self._owner)
        now = self.chores.now()
        for desk in list(self.desks.values()):
            desk.look(connection, now)
        self._next_look = self.monotonic() + self.poll

    def _write_and_claim(self, connection: BaseDatabaseWrapper, *, singly: bool = False) -> None:
        """One transaction: ends, progress, what is given back, and claims."""
        began = self.monotonic()
        over, returns = list(self._over), list(self._returns)
        gone = {ending.id for ending, _ in over} | {claim.id for claim in returns}
        leaving = self._held.leaving(gone)
        desks = [] if self._stop_at is not None else list(self.desks.values())
        wanted = wishes(desks, leaving, self._held.suspects(but=gone), self._turn)
        reports = [report for desk in list(self.desks.values()) for report in desk.claimant.reports()]
        if not (over or returns or wanted or reports):
            return
        assert self._owner is not None
        try:
            follows = 2 * any(ending.member is not None for ending, _ in over)
            with self._block(connection, len(over) + len(returns) + len(reports) + len(wanted) + follows):
                refused = endings.write(connection, [ending for ending, _ in over], singly=singly)
                endings.give_back(connection, [(claim.id, claim.token) for claim in returns])
                endings.report(connection, reports)
                now = self.chores.now()
                added = self._follow(connection, over, refused)
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
        refused -= self._written_after_all(connection, [ending for ending, _ in over if ending.id in refused])
        self._over, self._returns, self._last = [], [], len(over)
        self._unsure.clear()
        self.chores.wrote(len(over))
        self._deliver(over, refused, returns, found)
        self.let_in(added)
        self._turn += WEIGHT * (self.monotonic() - began - self._turn)

    def _follow(
        self, connection: BaseDatabaseWrapper, over: list[tuple[Ending, Then]], refused: set[int]
    ) -> list[Added]:
        """Write what follows these ends in their workflows."""
        ends = [end for ending, _ in over if ending.id not in refused and (end := ending.end) is not None]
        if not ends:
            return []
        return flows.follow(connection, ends, now=self.chores.now(), next_id=self.next_id)

    def let_in(self, added: Iterable[Added]) -> None:
        """What workflows have added is committed: tell the pools. Called by any thread."""
        for one in added:
            desk = self.desks.get(one.task)
            if desk is not None:
                desk.claimant.let_in(one.job_id, one.due_at)

    def _deliver(
        self,
        over: list[tuple[Ending, Then]],
        refused: set[int],
        returns: list[Claim],
        found: list[tuple[Desk, Wish, list[Claim]]],
    ) -> None:
        """It is committed: tell the pools."""
        for claim in returns:
            self._held.let_out(claim.id)
        for ending, then in over:
            self._held.let_out(ending.id, ending)
            then(ending.id not in refused)
        for desk, wish, claimed in found:
            desk.claimed(wish, len(claimed))
            for claim in self._held.deliver(desk, claimed):
                self.inbox.give_back(claim)

    def _written_after_all(self, connection: BaseDatabaseWrapper, refused: list[Ending]) -> set[int]:
        """Which of these were refused only since they stand there already: a commit's answer was lost on the way."""
        unsure = [ending for ending in refused if ending.id in self._unsure]
        return endings.standing(connection, unsure, self._owner or 0) if unsure else set()

    def _block(self, connection: BaseDatabaseWrapper, statements: int) -> AbstractContextManager[object]:
        # What is one statement needs no BEGIN and no COMMIT. MySQL's claims are two.
        alone = statements == 1 and connection.vendor != "mysql"
        return nullcontext() if alone else transaction.atomic(using=self.database)

    def _failed(self, error: Exception) -> None:
        self._unsure.update(ending.id for ending, _ in self._over)
        if not self._failures:
            self.away_since = self.monotonic()
            text = "Durable jobs can't be claimed or ended just now, which is tried again: %s"
            logger.error(
                text, printable(str(error).strip() or type(error).__name__), exc_info=error, extra=_EXTRA
            )
        self._failures += 1
        drop(self.database)

    def _recovered(self) -> None:
        if self.away_since is not None:
            seconds = self.monotonic() - self.away_since
            logger.warning("Durable jobs are claimed and ended again, after %.0f s.", seconds, extra=_EXTRA)
        self._failures, self.away_since = 0, None

    def _leave(self) -> None:
        # The database may be away: others find out by themselves.
        with suppress(Exception):
            if self._owner is not None:
                self.chores.end(connections[self.database])
        drop(self.database)
