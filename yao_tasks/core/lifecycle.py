"""The life of a job, written once: no other module writes a job's status.

    HELD --accept--> ADDING --release--> READY --start--> RUNNING --succeed--> SUCCEEDED
      |                                   ^                 | | '-----fail---> FAILED
      '--drop--> DROPPED                  '-ready- RETRYING <-' postpone
    HELD, ADDING, RETRYING, READY, RUNNING --end (deadline, cancel, loss)--> FAILED

Each method takes the pool's lock once, for a few straight lines: reads, stores and `del`. Never a call, a
loop, or a new container in there: CPython hands the GIL over at calls, and a lock held across one becomes
contended (ten times slower with ten threads); a new container can start a garbage collection, and with it
foreign finalizers that come back for this very lock. For the same reason what a section overwrites or
removes is always held by a local that outlives it.

The first to settle a run wins. `attempt` names the run that the caller speaks of; news of any other is stale.
"""

from threading import Lock
from typing import Any

from yao_tasks.core.errors import BadJobId, PoolClosed, QueueFull
from yao_tasks.core.jobs import (
    ADDING,
    DROPPED,
    FAILED,
    HELD,
    NO_PROGRESS,
    READY,
    RETRYING,
    RUNNING,
    SUCCEEDED,
    Job,
    JobError,
    Progress,
)
from yao_tasks.core.waiting import wake


class Lifecycle:
    """The jobs of one pool and their rules. Any thread may call any method."""

    def __init__(self, task: str, *, worker_nums: int, size: int, keeps_ended: bool) -> None:
        self.task = task
        self.wanted = worker_nums
        self.size = size
        self.keeps_ended = keeps_ended
        # Guards everything below, and every field of every job of the pool.
        self.lock = Lock()
        self.jobs: dict[int, Job] = {}  # waiting and running
        self.running: dict[int, Job] = {}  # in the order in which they started
        self.ended: dict[int, Job] = {}  # what retention still remembers
        self.closing = False
        self.queued = 0  # waiting jobs that count against `size`: all but those between two runs
        self.ready_count = 0
        self.retrying = 0
        self.threads = 0  # workers that exist
        self.busy = 0  # of these, in a handler or an event
        self.stuck = 0  # of these, in a run that somebody else has settled
        self.added = 0
        self.started = 0
        self.succeeded = 0
        self.retried = 0
        self.refused = 0
        self.failed = {"raised": 0, "timeout": 0, "cancelled": 0, "lost": 0}

    # Adding

    def admit(self, job: Job, status: int) -> None:
        """Take a new job in as HELD, ADDING or READY. Raises PoolClosed, BadJobId (the id is taken), QueueFull."""
        job_id = job.id
        job.status = status
        with self.lock:
            closing = self.closing
            taken = job_id in self.jobs or job_id in self.ended
            free = self.wanted - self.busy
            full = self.queued - (free if free > 0 else 0) >= self.size
            if closing or taken or full:
                self.refused += 1
            else:
                self.jobs[job_id] = job
                self.queued += 1
                self.added += status != HELD
                self.ready_count += status == READY
        if closing:
            raise PoolClosed(f'The pool of "{self.task}" is closed: it takes no more jobs.')
        if taken:
            raise BadJobId(
                f'Job {job_id} of "{self.task}" exists already. Let event.next return a new id each time.'
            )
        if full:
            raise QueueFull(
                f'"{self.task}" has {self.size} jobs waiting beyond its free workers, as many as its "size" allows. '
                "Add the job later, or raise size or worker_nums."
            )

    def accept(self, job: Job) -> bool:
        """The transaction that held the job is committed: it counts from now on. False if it was ended meanwhile."""
        with self.lock:
            self.added += 1
            alive = job.status == HELD
            if alive:
                job.status = ADDING
            elif job.error is not None:
                self.failed[job.error.kind] += 1
        return alive

    def release(self, job: Job) -> bool:
        """`event.add` has run: the job may start. False if it was ended meanwhile; the caller announces that end."""
        with self.lock:
            alive = job.status == ADDING
            if alive:
                job.status = READY
                self.ready_count += 1
            job.holder = None
        return alive

    def drop(self, job: Job) -> bool:
        """The transaction that held the job was rolled back: it never was. False if it was accepted after all."""
        job_id = job.id
        waiters = None
        with self.lock:
            held = job.status == HELD
            # Ended while it was held, as by a cancel: that never was, either.
            gone = held or (job.status == FAILED and job.holder is not None)
            if held:
                del self.jobs[job_id]
                self.queued -= 1
            elif gone and job_id in self.ended and self.ended[job_id] is job:
                del self.ended[job_id]
            if gone:
                job.status = DROPPED
                waiters = job.waiters
                job.waiters = None
        wake(waiters)
        return gone

    # Running

    def start(self, job: Job, worker: str, now: float) -> int:
        """Claim a job for a worker. Answers the number of the run, from 1; 0 where there is nothing to run."""
        job_id = job.id
        attempt = 0
        with self.lock:
            if job.status == READY:
                attempt = job.attempt + 1
                if attempt == 1:
                    self.queued -= 1
                else:
                    job.progress = NO_PROGRESS
                job.status = RUNNING
                job.attempt = attempt
                job.started = now
                job.worker = worker
                self.running[job_id] = job
                self.ready_count -= 1
                self.busy += 1
                self.started += 1
        return attempt

    def succeed(
        self, job: Job, attempt: int, result: Any, now: float, *, resting: bool, surplus: Job | None = None
    ) -> bool:
        """A run returned. `resting`: its worker is free again with that. False if the run was settled before.

        `surplus`: an ended job that is to be forgotten.
        """
        job_id = job.id
        waiters = None
        with self.lock:
            current = job.status == RUNNING and job.attempt == attempt
            if current:
                job.status = SUCCEEDED
                job.result = result
                job.ended = now
                waiters = job.waiters
                job.waiters = None
                del self.jobs[job_id]
                del self.running[job_id]
                if self.keeps_ended:
                    self.ended[job_id] = job
                self.succeeded += 1
                if resting:
                    self.busy -= 1
            if surplus is not None and surplus.id in self.ended and self.ended[surplus.id] is surplus:
                del self.ended[surplus.id]
        if waiters is not None:
            wake(waiters)
        return current

    def fail(self, job: Job, attempt: int, error: JobError, now: float) -> bool:
        """A run raised, and no retry is left. False if the run was settled before."""
        job_id = job.id
        waiters = None
        with self.lock:
            current = job.status == RUNNING and job.attempt == attempt
            if current:
                job.status = FAILED
                job.error = error
                job.ended = now
                waiters = job.waiters
                job.waiters = None
                del self.jobs[job_id]
                del self.running[job_id]
                if self.keeps_ended:
                    self.ended[job_id] = job
                self.failed[error.kind] += 1
        wake(waiters)
        return current

    def postpone(self, job: Job, attempt: int, due: float) -> bool:
        """A run raised, and the job will run again at `due`. False if the run was settled before."""
        job_id = job.id
        with self.lock:
            current = job.status == RUNNING and job.attempt == attempt
            if current:
                job.status = RETRYING
                job.due = due
                del self.running[job_id]
                self.retrying += 1
                self.retried += 1
        return current

    def ready(self, job: Job, attempt: int) -> bool:
        """A retry is due. False if the job was ended, or has run, meanwhile."""
        with self.lock:
            current = job.status == RETRYING and job.attempt == attempt
            if current:
                job.status = READY
                job.due = None
                self.retrying -= 1
                self.ready_count += 1
        return current

    def rest(self, *, late: bool) -> None:
        """A worker is free again. `late`: it comes back from a run that somebody else has settled."""
        with self.lock:
            self.busy -= 1
            if late:
                self.stuck -= 1

    # Ends that no worker makes

    def end(self, job: Job, attempt: int | None, error: JobError, now: float) -> int | None:
        """End a live job as failed: its deadline passed, somebody cancelled it, or it is lost.

        `attempt`: end it only in this run; None: whatever it does. Answers what it was before, in the words of
        `jobs.py`, and None if it was not alive. An end of a job that was HELD or ADDING is announced by its
        adder (so that `event.add` comes before `event.error`), any other by the caller.
        """
        job_id = job.id
        waiters = None
        before = None
        with self.lock:
            status = job.status
            if status < SUCCEEDED and (attempt is None or (status == RUNNING and job.attempt == attempt)):
                before = status
                job.status = FAILED
                job.error = error
                job.ended = now
                job.due = None
                waiters = job.waiters
                job.waiters = None
                del self.jobs[job_id]
                if self.keeps_ended:
                    self.ended[job_id] = job
                if status != HELD:
                    self.failed[error.kind] += 1
                if status == RUNNING:
                    del self.running[job_id]
                    self.stuck += 1
                elif status == RETRYING:
                    self.retrying -= 1
                elif job.attempt == 0:
                    self.queued -= 1
                if status == READY:
                    self.ready_count -= 1
        wake(waiters)
        return before

    def close(self) -> None:
        """Take no more jobs."""
        with self.lock:
            self.closing = True

    # Reports

    def report(self, job: Job, attempt: int | None, progress: Progress) -> bool:
        """Store a job's progress. `attempt`: only of this run; None: of whatever it does. False if that is over."""
        with self.lock:
            _before = job.progress  # outlives the section: its text may be the last of its kind
            running = job.status == RUNNING and job.attempt == attempt
            current = running or (attempt is None and job.status < SUCCEEDED)
            if current:
                job.progress = progress
        return current
