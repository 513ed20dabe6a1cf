"""What a process that works durable jobs does beside: it shows that it lives, looks after the dead, obeys pauses."""

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.core.log import logger
from yao_tasks.journal import owners
from yao_tasks.journal.durable import dialects, lease
from yao_tasks.journal.durable.desks import Claimant
from yao_tasks.journal.durable.recovery import Ended, Sweep
from yao_tasks.journal.sql import aware
from yao_tasks.models import JobOwner, PausedTask

# With a little chance in it, so that processes which started together don't all sweep at once (s).
SWEEP_EVERY = 5.0
# Short of the lease's end nothing new is begun (s).
SHORT_LEASE = 15.0


class Office:
    """The clerk's chores. For its thread alone."""

    def __init__(
        self,
        database: str,
        folder: Path,
        *,
        enroll: Callable[[BaseDatabaseWrapper], int],
        claimants: Callable[[], Iterable[Claimant]],
        known: Callable[[], Sequence[str]],
        prune: Callable[[int], object],
        mend: Callable[[BaseDatabaseWrapper], object],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`enroll` answers the key of this process's row. `known`: the ids of all tasks, former ones too.

        `prune` is called now and then, with how many jobs have ended since: a small piece of work. `mend` goes on
        with workflows that nobody goes on with.
        """
        self.database = database
        self.folder = folder
        self.enroll = enroll
        self.claimants = claimants
        self.known = known
        self.prune = prune
        self.mend = mend
        self.monotonic = monotonic
        self.lock = lease.Lock(folder)
        self._ended = 0
        self._mine = 0
        self._ahead = 0.0
        self._is_local = False
        self._began = 0.0
        self._next_renewal = 0.0
        self._next_sweep = 0.0

    def begin(self, connection: BaseDatabaseWrapper) -> int:
        """This process works from now on, as `Chores.begin` says."""
        self._is_local = connection.vendor == "sqlite"
        self._mine = self.enroll(connection)
        JobOwner.objects.using(self.database).filter(pk=self._mine).update(lock=self.lock.take())
        self._renew(connection)
        self._began = self.now()
        return self._mine

    def now(self) -> float:
        """Seconds since 1970, by the database's clock."""
        # Between two looks at it ours goes on, by seconds that nobody can set.
        return time.time() if self._is_local else self.monotonic() + self._ahead

    def look(self, connection: BaseDatabaseWrapper) -> None:
        """What is due of all this."""
        now = self.monotonic()
        if now >= self._next_renewal:
            self._renew(connection)
        if now >= self._next_sweep:
            self._sweep()
            self.mend(connection)
            self._next_sweep = now + SWEEP_EVERY * random.uniform(0.8, 1.2)  # noqa: S311
        self._obey_pauses()
        ended, self._ended = self._ended, 0
        self.prune(ended)

    def wrote(self, ended: int) -> None:
        """So many jobs have ended, by what was committed just now."""
        self._ended += ended

    def end(self, connection: BaseDatabaseWrapper) -> None:
        """This process works no longer."""
        JobOwner.objects.using(self.database).filter(pk=self._mine).update(lease_until=None, lock="")
        owners.leave(self.database, self._mine, aware(self.now()))
        self.lock.release()

    def _renew(self, connection: BaseDatabaseWrapper) -> None:
        self._ahead = dialects.now(connection) - self.monotonic()
        until = aware(self.now() + lease.SECONDS)
        JobOwner.objects.using(self.database).filter(pk=self._mine).update(lease_until=until, ended_at=None)
        self._next_renewal = self.monotonic() + lease.EVERY

    def _sweep(self) -> None:
        sweep = Sweep(database=self.database, folder=self.folder, mine=self._mine, now=self.now())
        claimants = {task: claimant for claimant in self.claimants() for task in claimant.tasks}
        for owner in sweep.dead_owners():
            logger.warning("Process %s is dead: what it was running is taken back.", owner)
            self._tell(claimants, sweep.recover(owner))
        for claimant in set(claimants.values()):
            if claimant.tasks[1:]:
                sweep.rename(claimant.task, claimant.tasks[1:])
        self._tell(claimants, sweep.expire(list(claimants)))
        self._tell(claimants, sweep.end_unknown(self.known(), self._began))

    def _obey_pauses(self) -> None:
        # Whoever pauses or resumes here meanwhile knows better.
        known = [(claimant, claimant.steered) for claimant in self.claimants()]
        paused = set(PausedTask.objects.using(self.database).values_list("task", flat=True))
        for claimant, steered in known:
            if claimant.steered == steered:
                claimant.obey(paused=claimant.task in paused)

    @staticmethod
    def _tell(claimants: dict[str, Claimant], ended: Iterable[Ended]) -> None:
        for one in ended:
            claimant = claimants.get(one.row.task)
            if claimant is not None:
                claimant.ended_elsewhere(one.row, one.error)
            else:
                extra = {"task": one.row.task, "job": one.row.job_id, "attempt": one.row.attempt}
                logger.error(
                    "%s: job %s ended: %s", one.row.task, one.row.job_id, one.error.message, extra=extra
                )


def new_token() -> int:
    """A number that no other claim has: what may write the end of the jobs of one claim."""
    return int.from_bytes(os.urandom(8)) >> 1
