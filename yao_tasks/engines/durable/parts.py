"""What a durable pool has beside the parts of every embedded one."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty

from yao_tasks.core.definitions import Definition
from yao_tasks.core.jobs import Job
from yao_tasks.engines import transactions
from yao_tasks.engines.base import Callables, Home
from yao_tasks.engines.durable.ends import DurableAnnouncer, DurableEnds
from yao_tasks.engines.durable.size import Size
from yao_tasks.engines.parts import Parts
from yao_tasks.journal.durable.counts import Waiting

# More jobs at once than that are looked for, not named one by one.
MANY = 50


class DurableParts(Parts):
    """The parts of one durable pool."""

    asks_database = True
    may_block = True
    announcer_class = DurableAnnouncer
    ends_class = DurableEnds
    ends: DurableEnds
    announcer: DurableAnnouncer

    def __init__(self, definition: Definition, callables: Callables, home: Home) -> None:
        super().__init__(definition, callables, home)
        # Nothing is written behind a durable job's back.
        self.rows = None
        workers = lambda: self.life.wanted  # noqa: E731
        self.size = Size(definition, home.journal.database, workers=workers, monotonic=self.monotonic)
        self.added = 0
        # How often somebody has begun, or ended, to pause or resume it here.
        self.steered = 0
        # By job: the thread whose open transaction has added it, and the one in whose `event.add` it is.
        self.uncommitted: dict[int, int] = {}
        self.adding: dict[int, int] = {}
        # What was claimed meanwhile: it is run once that event has returned.
        self.early: dict[int, Job] = {}
        # Guards the moment at which it does.
        self._earlier = threading.RLock()
        self.rolled_back: transactions.DroppedIds = transactions.DroppedIds()
        # What metrics() was told of the rows, and until when that does (monotonic).
        self.counted: Waiting = (0, 0, None)
        self.counted_at = float("-inf")
        # Who waits for a job by its row: by job, and by the one who waits.
        self._listeners: dict[int, dict[int, Callable[[], object]]] = {}
        # Guards these.
        self._listening = threading.RLock()

    def forget_dropped(self) -> None:
        """Take out the jobs whose transactions were rolled back."""
        super().forget_dropped()
        while True:
            try:
                job_id, committed = self.rolled_back.get_nowait()
            except Empty:
                return
            self.uncommitted.pop(job_id, None)
            if committed:
                # The callback was lost, the row was not.
                self.wake_workers([job_id])
            else:
                self.size.give_back(1)

    def wake_workers(self, ids: Sequence[int]) -> None:
        """These jobs wait: tell who may run them, here and in the other processes of this machine."""
        journal, task = self.home.journal, self.definition.id
        if journal.works and len(ids) <= MANY:
            for job_id in ids:
                journal.clerk.inbox.hint(task, job_id)
        elif journal.works:
            journal.clerk.look(task)
        if not journal.works or len(self.life.jobs) >= self.life.wanted or self.life.paused:
            journal.mouth.tell(task)

    def is_early(self, job: Job) -> bool:
        """Whether the job's `event.add` has not returned yet in this process: then whoever calls it offers the job."""
        if not (self.adding or self.uncommitted):
            return False
        with self._earlier:
            early = job.id in self.adding or (
                job.id in self.uncommitted and self.announcer.events.add is not None
            )
            if early:
                self.early[job.id] = job
        return early

    @contextmanager
    def listening(self, *job_ids: int, call: Callable[[], object] | None = None) -> Iterator[threading.Event]:
        """While inside, the end of any of these jobs in this process sets the event, or calls `call` instead."""
        event = threading.Event()
        told = call or event.set
        with self._listening:
            for job_id in job_ids:
                self._listeners.setdefault(job_id, {})[id(event)] = told
        try:
            yield event
        finally:
            with self._listening:
                for job_id in job_ids:
                    those = self._listeners.get(job_id, {})
                    those.pop(id(event), None)
                    if not those:
                        self._listeners.pop(job_id, None)

    def wake(self, job_id: int) -> None:
        """Wake who waits for this job. Called by the clerk."""
        if self._listeners:
            with self._listening:
                told = list(self._listeners.get(job_id, {}).values())
            for tell in told:
                tell()
