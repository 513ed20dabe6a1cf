"""How one looks into an embedded pool: a job, those that end, those that fit, the numbers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from yao_tasks.core.current import current_job
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.jobs import ADDING, DROPPED, HELD, RUNNING, Job, JobInfo, draw
from yao_tasks.core.waiting import LoopWaiter, QueueWaiter, join, part, wait
from yao_tasks.engines.base import Query
from yao_tasks.engines.live import LiveJobs
from yao_tasks.engines.numbers import numbers
from yao_tasks.engines.parts import Parts, is_mine
from yao_tasks.engines.search import search

# A job held by another thread's transaction may vanish with it; who waits for it looks this often (s).
HELD_LOOK = 0.05


class Looking(Parts):
    """The looking half of an embedded pool."""

    waiting_workers = 0

    def get(self, job_id: int) -> JobInfo:
        """The job as it is now, as `Engine.get` says."""
        return self.draw(self.find(job_id))

    def draw(self, job: Job) -> JobInfo:
        """A picture of the job. JobNotFound where its transaction was rolled back."""
        if job.status == DROPPED:
            raise JobNotFound(f"Job {job.id} never was: the transaction that added it was rolled back.")
        return draw(job, self.life.task, self.life.lock)

    def wait(self, job_id: int, timeout: float | None) -> JobInfo:
        """Wait for the job's end, as `Engine.wait` says."""
        job = self.find(job_id)
        until = None if timeout is None else self.monotonic() + timeout
        with self._as_waiting_worker(job):
            while True:
                self._refuse_endless(job)
                left = None if until is None else until - self.monotonic()
                held = job.status == HELD
                ended = wait(
                    job, self.life.lock, min(HELD_LOOK if left is None else left, HELD_LOOK) if held else left
                )
                self.forget_dropped()
                if ended:
                    return self.draw(job)
                if until is not None and self.monotonic() >= until:
                    raise self._timeout(job_id, timeout)

    async def await_end(self, job_id: int, timeout: float | None) -> JobInfo:
        """The same in a coroutine, as `Engine.await_end` says."""
        import asyncio

        job = self.find(job_id)
        self._refuse_endless(job)
        waiter = LoopWaiter(asyncio.get_running_loop())
        if join(job, self.life.lock, waiter):
            try:
                await asyncio.wait_for(waiter.future, timeout)
            except TimeoutError:
                raise self._timeout(job_id, timeout) from None
            finally:
                part(job, self.life.lock, waiter)
        self.forget_dropped()
        return self.draw(job)

    def as_completed(self, ids: Sequence[int], timeout: float | None) -> Iterator[JobInfo]:
        """The jobs as they end, as `Engine.as_completed` says."""
        # Asked now, not when the first is wanted: by then some may be forgotten.
        return self._completed([self.find(job_id) for job_id in dict.fromkeys(ids) if job_id], timeout)

    def _completed(self, jobs: Sequence[Job], timeout: float | None) -> Iterator[JobInfo]:
        until = None if timeout is None else self.monotonic() + timeout
        done: SimpleQueue[Job] = SimpleQueue()
        waiters = [QueueWaiter(job, done) for job in jobs]
        try:
            for waiter in waiters:
                if not join(waiter.job, self.life.lock, waiter):
                    waiter.set()
            for count in range(len(jobs)):
                try:
                    job = done.get(timeout=None if until is None else max(0.0, until - self.monotonic()))
                except Empty:
                    raise TimeoutError(
                        f"{len(jobs) - count} of {len(jobs)} jobs have not ended within {timeout:g} s."
                    ) from None
                yield self.draw(job)
        finally:
            for waiter in waiters:
                part(waiter.job, self.life.lock, waiter)

    def jobs(self) -> Mapping[int, JobInfo]:
        """The live jobs."""
        self.forget_dropped()
        return LiveJobs(self.life)

    def search(self, query: Query) -> list[JobInfo]:
        """The jobs that fit, as `Engine.search` says."""
        self.forget_dropped()
        self.retention.trim(self.monotonic())
        return [draw(job, self.life.task, self.life.lock) for job in search(self.life, query)]

    def metrics(self) -> dict[str, Any]:
        """The pool in numbers, as `Engine.metrics` says."""
        self.forget_dropped()
        now = self.monotonic()
        self.retention.trim(now)
        return numbers(self, now)

    @contextmanager
    def _as_waiting_worker(self, job: Job) -> Iterator[None]:
        """Count a worker of this pool that waits for a job of this pool; refuse the last who could run it."""
        inside = current_job()
        if inside is None or inside.task != self.definition.id:
            yield
            return
        life = self.life
        self.waiting_workers += 1
        try:
            if job.status < RUNNING and self.waiting_workers >= life.wanted:
                raise RuntimeError(
                    f'Job {job.id} can\'t end: it waits for a worker, and all {life.wanted} workers of "{life.task}" '
                    "wait for jobs of their own pool. Give it more workers, or another task for such jobs."
                )
            yield
        finally:
            self.waiting_workers -= 1

    def _refuse_endless(self, job: Job) -> None:
        if job.status in (HELD, ADDING) and is_mine(job):
            raise RuntimeError(
                f"Job {job.id} waits for this thread itself, to commit its transaction or to return from "
                "event.add: wait for it after that."
            )

    def _timeout(self, job_id: int, timeout: float | None) -> TimeoutError:
        return TimeoutError(f'Job {job_id} of "{self.definition.id}" has not ended within {timeout:g} s.')
