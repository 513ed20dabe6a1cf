"""The life of a job, written once: no other module writes a job's status.

    HELD --accept--> ADDING --release--> READY --start--> RUNNING --succeed--> SUCCEEDED
      |                 |                 ^ ^               | | '-----fail---> FAILED --revive (a new job)--> READY
      '--drop--> DROPPED '-> DELAYED -ready' '-- RETRYING <-' postpone
    HELD, ADDING, DELAYED, RETRYING, READY, RUNNING --end (deadline, cancel, loss)--> FAILED

A durable job is a row, and lives here only from its claim to the end of that run, which counts once it is written:

    (claimed) --adopt--> READY --start--> RUNNING --finish--> ENDING --settle--> SUCCEEDED, FAILED
                           '------------------'------------------'--let_go--> DROPPED (its row lives on)

Each method takes the pool's lock once, for a few straight lines: reads, stores and `del`. Never a call, a
loop, or a new container in there: CPython hands the GIL over at calls, and a lock held across one becomes
contended (ten times slower with ten threads); a new container can start a garbage collection, and with it
foreign finalizers that come back for this very lock. For the same reason what a section overwrites or
removes is always held by a local that outlives it.

The first to settle a run wins. `attempt` names the run that the caller speaks of; news of any other is stale.
"""

from threading import Lock
from typing import Any, NoReturn

from yao_tasks.core.errors import JobLost, JobNotFound, name_of
from yao_tasks.core.jobs import (
    ADDING,
    CODES,
    DELAYED,
    DROPPED,
    ENDING,
    FAILED,
    FAILURE_NAME,
    HELD,
    NO_PROGRESS,
    READY,
    RETRYING,
    RUNNING,
    SUCCEEDED,
    WAITING_NAME,
    Job,
    JobError,
    Progress,
)
from yao_tasks.core.refusals import refuse
from yao_tasks.core.waiting import wake

# States in which a job can be ended, in the order of `jobs.py`.
LIVE = range(HELD, ENDING)
WAITS = range(HELD, RUNNING)
RUNS = range(RUNNING, ENDING)
LET_GO = range(READY, SUCCEEDED)


class Lifecycle:
    """The jobs of one pool and their rules. Any thread may call any method."""

    def __init__(self, task: str, *, worker_nums: int, size: int, keeps_ended: bool) -> None:
        self.task = task
        self.wanted = worker_nums
        # 8: each is a thread that may never come back.
        self.most_replaced = min(worker_nums, 8)
        self.size = size
        self.keeps_ended = keeps_ended
        # Guards everything below, and every field of every job of the pool.
        self.lock = Lock()
        self.jobs: dict[int, Job] = {}  # waiting and running
        self.running: dict[int, Job] = {}  # in the order in which they started
        self.ended: dict[int, Job] = {}  # what retention still remembers
        self.keys: dict[str, int] = {}  # the unique keys of the live jobs
        self.closing = False
        self.paused = False
        self.queued = 0  # waiting jobs that count against `size`: all but those between two runs
        self.ready_count = 0
        self.postponed = 0  # delayed, or between two runs
        self.threads = 0  # workers that exist
        self.busy = 0  # of these, in a handler or an event
        self.stuck = 0  # of these, in a run that somebody else has settled
        self.replaced = 0  # of these, those in whose place another works
        self.surplus = False  # there may be more than wanted: each worker asks after its job
        self.added = 0
        self.started = 0
        self.succeeded = 0
        self.retried = 0
        self.refused = 0
        self.failed = {"raised": 0, "timeout": 0, "cancelled": 0, "lost": 0}

    # Adding

    def admit(self, job: Job, status: int, *, reserved: bool = False) -> None:
        """Take a new job in as HELD, ADDING or READY. `reserved`: its place has been reserved.

        Raises PoolClosed, BadJobId (the id is taken), DuplicateJob (the key is), QueueFull, PoolSaturated.
        """
        job_id = job.id
        job.status = status
        key = None if job.terms is None else job.terms.key
        twin = 0
        with self.lock:
            closing = self.closing
            taken = job_id in self.jobs or job_id in self.ended
            if key is not None and key in self.keys:
                twin = self.keys[key]
            full = self.queued >= self.size and not reserved
            if full and not self.paused:
                free = self.wanted - self.busy + self.replaced
                full = self.queued - (free if free > 0 else 0) >= self.size
            saturated = self.stuck > 0 and self.stuck >= self.threads and self.replaced >= self.most_replaced
            refused = closing or taken or full or saturated or twin > 0
            if not refused:
                self.jobs[job_id] = job
                self.queued += not reserved
                self.added += status != HELD
                self.ready_count += status == READY
                if key is not None:
                    self.keys[key] = job_id
        if refused:
            self._refuse(job_id, closing=closing, taken=taken, twin=twin, saturated=saturated)

    def reserve(self, count: int) -> None:
        """Reserve places for so many jobs, all or none. Raises PoolClosed, QueueFull, PoolSaturated."""
        with self.lock:
            closing = self.closing
            free = 0 if self.paused else self.wanted - self.busy + self.replaced
            full = self.queued + count - (free if free > 0 else 0) > self.size
            saturated = self.stuck > 0 and self.stuck >= self.threads and self.replaced >= self.most_replaced
            refused = closing or full or saturated
            if not refused:
                self.queued += count
        if refused:
            self._refuse(0, closing=closing, taken=False, twin=0, saturated=saturated)

    def give_back(self, count: int) -> None:
        """Reserve so many places no longer."""
        with self.lock:
            self.queued -= count

    def revive(self, old: Job, new: Job) -> bool:
        """A person wants a failed job tried again: `new` is READY under its id, and `old` is forgotten.

        No token, run or waiter of the old one can touch the new one. False if the old one's end has not been
        told yet: who tells it lets the new one start. Raises what `admit` raises, and JobNotFound where `old` is
        no longer what the id means.
        """
        job_id = new.id
        new.status = READY
        key = None if new.terms is None else new.terms.key
        twin = 0
        with self.lock:
            closing = self.closing
            if job_id in self.ended:
                known = self.ended[job_id] is old
            else:
                # Remembered by a list of `add_many` alone.
                known = old.status == FAILED and job_id not in self.jobs
            if key is not None and key in self.keys:
                twin = self.keys[key]
            free = 0 if self.paused else self.wanted - self.busy + self.replaced
            full = self.queued - (free if free > 0 else 0) >= self.size
            saturated = self.stuck > 0 and self.stuck >= self.threads and self.replaced >= self.most_replaced
            refused = closing or full or saturated or twin > 0
            told = old.heir is not None
            if known and not refused:
                old.heir = True if told else new
                if job_id in self.ended:
                    del self.ended[job_id]
                self.jobs[job_id] = new
                self.queued += 1
                self.ready_count += 1
                if key is not None:
                    self.keys[key] = job_id
        if refused:
            self._refuse(job_id, closing=closing, taken=False, twin=twin, saturated=saturated)
        if not known:
            raise JobNotFound(f'Job {job_id} of "{self.task}" is no longer known as a failure.')
        return told

    def told(self, job: Job) -> Job | None:
        """The end of a failed job has been told. Answers the job in which it is tried again, if that waits for this."""
        with self.lock:
            heir = job.heir
            job.heir = True
        return heir if isinstance(heir, Job) else None

    def count_refusal(self, count: int) -> None:
        """So many jobs were refused for good."""
        with self.lock:
            self.refused += count

    def count_failure(self, kind: str) -> None:
        """A job failed that this process did not run."""
        with self.lock:
            self.failed[kind] += 1

    def _refuse(self, job_id: int, *, closing: bool, taken: bool, twin: int, saturated: bool) -> NoReturn:
        refuse(
            self.task,
            job_id,
            closing=closing,
            taken=taken,
            twin=twin,
            saturated=self.threads if saturated else 0,
            size=self.size,
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

    def release(self, job: Job) -> int | None:
        """`event.add` has run. Answers READY, or DELAYED where it has a moment at which it is due.

        None if it was ended meanwhile; the caller announces that end.
        """
        status = None
        with self.lock:
            if job.status == ADDING:
                if job.due is None:
                    status = READY
                    self.ready_count += 1
                else:
                    status = DELAYED
                    self.postponed += 1
                job.status = status
            job.holder = None
        return status

    def drop(self, job: Job) -> bool:
        """The transaction that held the job was rolled back: it never was. False if it was accepted after all."""
        job_id = job.id
        key = None if job.terms is None else job.terms.key
        waiters = None
        with self.lock:
            held = job.status == HELD
            # Ended while it was held, as by a cancel: that never was, either.
            gone = held or (job.status == FAILED and job.holder is not None)
            if held:
                del self.jobs[job_id]
                self.queued -= 1
                if key is not None:
                    del self.keys[key]
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
            if job.status == READY and not self.paused:
                if job.attempt == job.base:
                    self.queued -= 1
                attempt = job.attempt + 1
                if attempt > 1:
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
        key = None if job.terms is None else job.terms.key
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
                if key is not None:
                    del self.keys[key]
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
        key = None if job.terms is None else job.terms.key
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
                if key is not None:
                    del self.keys[key]
        wake(waiters)
        return current

    def postpone(self, job: Job, attempt: int, due: float, *, stuck: bool = False) -> bool:
        """A run is over, and the job will run again at `due`. False if the run was settled before.

        `stuck`: it was cut off, and its worker is still in it.
        """
        job_id = job.id
        with self.lock:
            current = job.status == RUNNING and job.attempt == attempt
            if current:
                job.status = RETRYING
                job.due = due
                del self.running[job_id]
                self.postponed += 1
                self.retried += 1
                self.stuck += stuck
        return current

    def ready(self, job: Job, attempt: int, now: float) -> bool:
        """A delayed job, or a retry, is due. False if the job was ended, or has run, meanwhile."""
        with self.lock:
            waits = job.status == DELAYED or job.status == RETRYING
            current = waits and job.attempt == attempt
            if current:
                job.status = READY
                job.due = None
                job.ready = now
                self.postponed -= 1
                self.ready_count += 1
        return current

    def rest(self, *, late: bool) -> None:
        """A worker is free again. `late`: it comes back from a run that somebody else has settled."""
        with self.lock:
            self.busy -= 1
            if late:
                self.stuck -= 1
                if self.replaced > self.stuck:
                    # Its place was given away: there is one too many now.
                    self.replaced -= 1
                    self.surplus = True

    # Ends that no worker makes

    def end(
        self, job: Job, error: JobError, now: float, *, among: range = LIVE, attempt: int | None = None
    ) -> int | None:
        """End a live job as failed: its deadline passed, somebody cancelled it, or it is lost.

        Only if it is `among` these states, and after so many attempts (None: whatever there were). Answers what
        it was before, None if it was nothing of that. An end of a job that was HELD or ADDING is announced by
        its adder (so that `event.add` comes before `event.error`), any other by the caller.
        """
        job_id = job.id
        key = None if job.terms is None else job.terms.key
        waiters = None
        before = None
        with self.lock:
            status = job.status
            if status in among and (attempt is None or job.attempt == attempt):
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
                elif job.attempt == job.base:
                    self.queued -= 1
                self.postponed -= status == DELAYED or status == RETRYING
                self.ready_count -= status == READY
                if key is not None:
                    del self.keys[key]
        wake(waiters)
        return before

    # Durable jobs

    def adopt(self, job: Job) -> bool:
        """Take in a job that this process has claimed. False if it is here already, or the pool is being closed."""
        job_id = job.id
        with self.lock:
            taken = not self.closing and job_id not in self.jobs
            if taken:
                job.status = READY
                self.jobs[job_id] = job
                self.queued += job.attempt == job.base
                self.ready_count += 1
        return taken

    def finish(self, job: Job, attempt: int, *, stuck: bool = False) -> bool:
        """A run is over, and its end is to be written. False if the run was settled before.

        `stuck`: it was cut off, and its worker is still in it.
        """
        job_id = job.id
        with self.lock:
            current = job.status == RUNNING and job.attempt == attempt
            if current:
                job.status = ENDING
                del self.running[job_id]
                self.stuck += stuck
        return current

    def settle(self, job: Job, result: Any, error: JobError | None, now: float) -> None:
        """The end that was being written is committed; `error` None: it succeeded. `now`: when the run was over."""
        job_id = job.id
        waiters = None
        with self.lock:
            if job.status == ENDING:
                job.status = SUCCEEDED if error is None else FAILED
                job.result = result
                job.error = error
                job.ended = now
                waiters = job.waiters
                job.waiters = None
                del self.jobs[job_id]
                if error is None:
                    self.succeeded += 1
                else:
                    self.failed[error.kind] += 1
        wake(waiters)

    def let_go(self, job: Job, *, among: range = LET_GO, retried: bool = False) -> int | None:
        """This process has to do with the job no longer; its row says what becomes of it.

        Answers what it was before, None if it was none `among` these. Of one that was RUNNING the worker is still
        in it.
        """
        job_id = job.id
        waiters = None
        before = None
        with self.lock:
            status = job.status
            if status in among:
                before = status
                job.status = DROPPED
                waiters = job.waiters
                job.waiters = None
                del self.jobs[job_id]
                self.retried += retried
                if status == RUNNING:
                    del self.running[job_id]
                    self.stuck += 1
                elif status == READY:
                    self.ready_count -= 1
                    self.queued -= job.attempt == job.base
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


def shadow(job: Job, error: JobError | None = None) -> Job:
    """A durable job as its events see it where no pool of this process holds it: added just now, or failed."""
    job.status = ADDING if error is None else FAILED
    job.error = error
    return job


LEFT_BEHIND = {
    "status": CODES[FAILURE_NAME],
    "kind": "lost",
    "error_type": name_of(JobLost),
}
"""The columns of a row whose job ended with its process: nobody is left to end it in memory."""


def ended_as(error: JobError) -> dict[str, object]:
    """The columns of a row whose job ended that way while no process ran it."""
    return {
        "status": CODES[FAILURE_NAME],
        "kind": error.kind,
        "error_type": error.type,
        "error": error.message,
        "traceback": error.traceback,
        "unique_key": None,
        "token": None,
        "due_at": None,
    }


RETURNED = {
    "status": CODES[WAITING_NAME],
    "owner": None,
    "token": None,
}
"""The columns of a durable job that waits again: given back, or taken from a process that is dead."""

TRIED_AGAIN = {
    "status": CODES[WAITING_NAME],
    "kind": "",
    "error_type": "",
    "error": "",
    "traceback": "",
    "ended_at": None,
    "due_at": None,
}
"""The columns of a recorded failure that memory has forgotten, and that a person has tried again."""
