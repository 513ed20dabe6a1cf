"""What the clerk keeps of each pool that it claims for: what it knows to wait, and how much of it to take."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.core.jobs import JobError
from yao_tasks.journal.durable import claims
from yao_tasks.journal.durable.claims import Claim, Wish
from yao_tasks.models import JobRecord

# Most of one claim.
BATCH = 500
# Beyond the free workers, where jobs are so short that workers would wait for the clerk. Each may be repeated after a
# death, beside those that were running.
PREFETCH = 40
# What was claimed so long ago and has not started goes back: another process may be free (s).
STALE = 1.0
# How much one run counts against those before it.
WEIGHT = 0.1


class Claimant(Protocol):
    """A pool that runs durable jobs. Called by the clerk's thread: quick, and none of it foreign code."""

    task: str
    tasks: tuple[str, ...]
    """Its id, and its former ones."""

    @property
    def workers_wanted(self) -> int:
        """How many jobs it runs at once."""

    @property
    def able(self) -> int:
        """How many of these workers can take a job: none while it is paused, or being closed."""

    def adopt(self, claimed: Sequence[Claim]) -> list[Claim]:
        """Run these. Answers those that it can't."""

    def give_back_unstarted(self, *, older: float = 0.0) -> bool:
        """Let others have what was claimed so many seconds ago and has not started. False if there was nothing."""

    def taken_away(self, claim: Claim) -> None:
        """A job that it runs belongs to it no longer."""

    steered: int
    """Changes before, and again after, somebody has paused or resumed the task in this process."""

    def obey(self, *, paused: bool) -> None:
        """Somebody has paused the task, for all processes; or nobody has."""

    def let_in(self, job_id: int, due_at: float | None) -> None:
        """A workflow has added a job, and that is committed. Called by any thread."""

    def ended_elsewhere(self, row: JobRecord, error: JobError) -> None:
        """A job that no process ran was ended: tell that."""

    def reports(self) -> Iterable[tuple[float, float, str, int, int]]:
        """Progress that is to be written: (current, total, message, row, token)."""


class Desk:
    """One pool, as the clerk sees it. For the clerk's thread, but for `more`, which anybody may set."""

    def __init__(self, claimant: Claimant) -> None:
        self.claimant = claimant
        self.more = True
        """Whether more may wait than is known by id."""
        self.suspects = False
        self.ids: list[int] = []
        self.held = 0
        """How many jobs it has claimed that are not out of its hands yet."""
        self._seconds: float | None = None

    def hint(self, job_id: int) -> None:
        """This job waits."""
        if not self.more:
            self.ids.append(job_id)

    def look(self, connection: BaseDatabaseWrapper, now: float) -> None:
        """See whether something waits that nobody has told of. Raises django.db.Error."""
        if self.held > self.claimant.workers_wanted and self.claimant.give_back_unstarted(older=STALE):
            # They were not that short.
            self._seconds = STALE
        tasks = self.claimant.tasks
        self.more = self.more or claims.waits(connection, Wish(tasks=tasks, most=1), now=now)
        self.suspects = claims.waits(connection, Wish(tasks=tasks, most=1, suspects=True), now=now)

    def ran(self, seconds: float) -> None:
        """A run has taken so long."""
        before = seconds if self._seconds is None else self._seconds
        self._seconds = before + WEIGHT * (seconds - before)

    def wish(self, turn: float, leaving: int) -> Wish | None:
        """What to claim just now, if anything.

        `turn`: how long the clerk takes from one claim to the next (s). `leaving`: how many of those that are held
        go with what it is about to write.
        """
        if not (self.more or self.ids):
            return None
        able, held = self.claimant.able, self.held - leaving
        # In advance only as others go: what comes later may be better, as long as all workers are busy.
        ahead = self._prefetch(turn) if leaving or not held else 0
        room = able + ahead - held if able else 0
        if room <= 0:
            # There will be room again, and then the best of all that wait is wanted.
            self.more, self.ids = True, []
            return None
        if self.more:
            self.ids = []
            return Wish(tasks=self.claimant.tasks, most=min(room, BATCH))
        chosen, rest = tuple(self.ids[:room]), self.ids[room:]
        self.more, self.ids = bool(rest), []
        return Wish(tasks=self.claimant.tasks, most=len(chosen), job_ids=chosen)

    def _prefetch(self, turn: float) -> int:
        """As many as its workers get through in a turn."""
        if self._seconds is None:
            return 0
        return int(min(PREFETCH, self.claimant.workers_wanted * turn / max(self._seconds, 1e-6)))

    def claimed(self, wish: Wish, count: int) -> None:
        """So many came of it."""
        if wish.suspects:
            self.suspects = count > 0
        elif not wish.job_ids:
            self.more = count >= wish.most


def wishes(
    desks: Sequence[Desk], leaving: Mapping[Desk, int], suspects: int, turn: float
) -> list[tuple[Desk, Wish]]:
    """What to claim for each. `suspects`: how many of those that may be what kills a process run already; one may.

    `leaving`, `turn` as `Desk.wish` says.
    """
    wanted = []
    for desk in desks:
        # Among others, not after all of them.
        if desk.suspects and not suspects and desk.claimant.able > desk.held - leaving.get(desk, 0):
            suspects += 1
            wanted.append((desk, Wish(tasks=desk.claimant.tasks, most=1, suspects=True)))
        wish = desk.wish(turn, leaving.get(desk, 0))
        if wish is not None:
            wanted.append((desk, wish))
    return wanted
