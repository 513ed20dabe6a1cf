"""What a pool remembers: its live jobs, and for a while those that have ended.

Ended jobs are two queues, successes and failures, first in first out, by age and number.
"""

from collections import deque
from threading import Lock

from yao_tasks.core.jobs import SUCCEEDED, Job
from yao_tasks.core.lifecycle import Lifecycle

# A failure can still be looked at the day after.
FAILURE_SECONDS = 86_400.0
# Age is looked at this often at most: it costs a look at two queues.
PAUSE = 1.0


class Retention:
    """Trims `Lifecycle.ended`. Any thread may call any method."""

    def __init__(self, life: Lifecycle, *, seconds: float, most: int) -> None:
        self.life = life
        self.success_seconds = seconds
        self.failure_seconds = FAILURE_SECONDS if seconds else 0.0
        self.most = most
        self.successes: deque[Job] = deque()
        # A dict, in order: one that is tried again is taken out of the middle.
        self.failures: dict[Job, None] = {}
        self.next_look = 0.0
        # Guards the trimming: one thread at a time, and nobody waits for it.
        self.trimming = Lock()

    def find(self, job_id: int, now: float) -> Job | None:
        """A job that lives or is remembered, else None. `now`: monotonic seconds."""
        life = self.life
        job = None
        with life.lock:
            if job_id in life.jobs:
                job = life.jobs[job_id]
            elif job_id in life.ended:
                job = life.ended[job_id]
        return None if job is None or self.is_over(job, now) else job

    def surplus(self) -> Job | None:
        """The oldest success, which has to go so that another can be remembered. None if there is none.

        Its caller forgets it with its own end, and appends that to `successes`: it saves a section of its own.
        """
        try:
            return self.successes.popleft()
        except IndexError:  # another thread took the last one
            return None

    def keep(self, job: Job, now: float) -> None:
        """Remember a job that has just ended; forget what is too old or too much. `now`: monotonic seconds."""
        if not self.life.keeps_ended:
            return
        if job.status == SUCCEEDED:
            self.successes.append(job)
        else:
            self.failures[job] = None
            if isinstance(job.heir, Job):
                # Somebody was quick to have it tried again.
                self.let_go(job)
        if len(self.failures) > self.most or now >= self.next_look:
            self.trim(now)

    def let_go(self, job: Job) -> None:
        """A failure is tried again: what is remembered under its id is another job now."""
        # It may not be in yet, or have been trimmed just now.
        self.failures.pop(job, None)

    def drop(self, job: Job) -> None:
        """Forget an ended job now, whose record was deleted."""
        self.failures.pop(job, None)
        try:
            self.successes.remove(job)
        except (ValueError, IndexError):  # it is none, was trimmed just now, or others come and go meanwhile
            pass
        self._forget(job)

    def trim(self, now: float) -> None:
        """Forget what is too old or too much."""
        if not self.trimming.acquire(blocking=False):
            return
        try:
            self.next_look = now + PAUSE
            while self._has_to_go(now) and (job := self.surplus()) is not None:
                self._forget(job)
            failures = list(self.failures)
            for place, job in enumerate(failures):
                if len(failures) - place <= self.most and not self.is_over(job, now):
                    break
                self.failures.pop(job, None)
                self._forget(job)
        finally:
            self.trimming.release()

    def _has_to_go(self, now: float) -> bool:
        try:
            return len(self.successes) > self.most or self.is_over(self.successes[0], now)
        except IndexError:  # another thread took the last one
            return False

    def is_over(self, job: Job, now: float) -> bool:
        """Whether an ended job's time is over."""
        if job.ended is None:
            return False
        return now - job.ended >= (self.success_seconds if job.status == SUCCEEDED else self.failure_seconds)

    def _forget(self, job: Job) -> None:
        life, job_id = self.life, job.id
        with life.lock:
            # Only if the id still names this job: it may have been given to a later one.
            if job_id in life.ended and life.ended[job_id] is job:
                del life.ended[job_id]
