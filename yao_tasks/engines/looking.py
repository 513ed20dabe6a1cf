"""How one looks into an embedded pool: a job, those that end, those that fit, the numbers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from queue import Empty, SimpleQueue
from typing import Any

from yao_tasks.core.current import CurrentJob, current_job
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.jobs import ADDING, DROPPED, HELD, RUNNING, SUCCEEDED, Job, JobInfo, draw
from yao_tasks.core.queries import Query
from yao_tasks.core.waiting import LoopWaiter, QueueWaiter, join, part, wait
from yao_tasks.engines.live import LiveJobs
from yao_tasks.engines.numbers import numbers
from yao_tasks.engines.parts import Parts, is_mine
from yao_tasks.engines.search import Pages

# A job held by another thread's transaction may vanish with it; who waits for it looks this often (s).
HELD_LOOK = 0.05


class Looking(Parts):
    """The looking half of an embedded pool."""

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
        if job.status < SUCCEEDED and timeout != 0:
            self.refuse_to_block(f"Job {job_id} can't be waited for", f"pool.await_end({job_id})")
        until = None if timeout is None else self.monotonic() + timeout
        with self._as_waiting_worker() as inside:
            while True:
                self._refuse_endless(job, inside)
                left = None if until is None else until - self.monotonic()
                ended = wait(job, self.life.lock, self._step(left, job, inside))
                self.forget_dropped()
                if ended:
                    return self.draw(job)
                if until is not None and self.monotonic() >= until:
                    raise self._timeout(job_id, timeout)

    async def await_end(self, job_id: int, timeout: float | None) -> JobInfo:
        """The same in a coroutine, as `Engine.await_end` says."""
        import asyncio

        job = self.find(job_id)
        until = None if timeout is None else self.monotonic() + timeout
        waiter = LoopWaiter(asyncio.get_running_loop())
        alive = join(job, self.life.lock, waiter)
        try:
            with self._as_waiting_worker() as inside:
                while alive and not waiter.future.done():
                    self._refuse_endless(job, inside)
                    left = None if until is None else until - self.monotonic()
                    await asyncio.wait([waiter.future], timeout=self._step(left, job, inside))
                    self.forget_dropped()
                    if not waiter.future.done() and until is not None and self.monotonic() >= until:
                        raise self._timeout(job_id, timeout)
        finally:
            part(job, self.life.lock, waiter)
        return self.draw(job)

    def as_completed(self, ids: Sequence[int], timeout: float | None) -> Iterator[JobInfo]:
        """The jobs as they end, as `Engine.as_completed` says."""
        # Asked now, not when the first is wanted: by then some may be forgotten.
        jobs = [self.find(job_id) for job_id in dict.fromkeys(ids) if job_id]
        for job in jobs:
            self._refuse_endless(job, None)
        if any(job.status < SUCCEEDED for job in jobs):
            self.refuse_to_block("Jobs can't be waited for", "pool.await_end(…) for each")
        return self._completed(jobs, timeout)

    def _completed(self, jobs: Sequence[Job], timeout: float | None) -> Iterator[JobInfo]:
        until = None if timeout is None else self.monotonic() + timeout
        done: SimpleQueue[Job] = SimpleQueue()
        # Those that have ended come in the order in which they did.
        waiters = [QueueWaiter(job, done) for job in sorted(jobs, key=_ended)]
        try:
            for waiter in waiters:
                if not join(waiter.job, self.life.lock, waiter):
                    waiter.set()
            held = [job for job in jobs if job.status == HELD]
            for count in range(len(jobs)):
                job = self._next_done(done, held, until)
                if job is None:
                    raise TimeoutError(
                        f"{len(jobs) - count} of {len(jobs)} jobs have not ended within {timeout:g} s."
                    )
                yield self.draw(job)
        finally:
            for waiter in waiters:
                part(waiter.job, self.life.lock, waiter)

    def _next_done(self, done: SimpleQueue[Job], held: Sequence[Job], until: float | None) -> Job | None:
        while True:
            left = None if until is None else max(0.0, until - self.monotonic())
            waits = next((job for job in held if job.status == HELD), None)
            try:
                return done.get(timeout=left if waits is None else self._step(left, waits, None))
            except Empty:
                self.forget_dropped()
                if until is not None and self.monotonic() >= until:
                    return None

    def jobs(self) -> Mapping[int, JobInfo]:
        """The live jobs."""
        self.forget_dropped()
        return LiveJobs(self.life)

    def search(self, query: Query) -> list[JobInfo]:
        """The jobs that fit, as `Engine.search` says."""
        self.forget_dropped()
        self.retention.trim(self.monotonic())
        return [draw(job, self.life.task, self.life.lock) for job in self.pages.page(query)]

    @cached_property
    def pages(self) -> Pages:
        """The pages that were asked for last."""
        return Pages(self.life)

    def metrics(self) -> dict[str, Any]:
        """The pool in numbers, as `Engine.metrics` says."""
        self.forget_dropped()
        now = self.monotonic()
        self.retention.trim(now)
        return numbers(self, now)

    @contextmanager
    def _as_waiting_worker(self) -> Iterator[CurrentJob | None]:
        """Count a worker of this pool that waits for a job of this pool."""
        inside = current_job()
        if inside is None or inside.task != self.definition.id or not inside.attempt:
            yield None
            return
        self.waiting_workers[inside] = None
        try:
            yield inside
        finally:
            del self.waiting_workers[inside]

    def _refuse_endless(self, job: Job, inside: CurrentJob | None) -> None:
        """RuntimeError where the job can't end while the caller waits for it."""
        if job.status in (HELD, ADDING) and is_mine(job):
            raise RuntimeError(
                f"Job {job.id} waits for this thread itself, to commit its transaction or to return from "
                "event.add: wait for it after that."
            )
        if inside is None or job.status >= RUNNING:
            return
        # Those whose runs were cut off have been, or will be, replaced. Counted only where there are enough.
        wanted = self.life.wanted
        if len(self.waiting_workers) < wanted:
            return
        # A coroutine may wait for many jobs at once.
        waiting = {(one.id, one.attempt) for one in list(self.waiting_workers) if not one.cancelled}
        if len(waiting) >= wanted:
            raise RuntimeError(
                f"Job {job.id} can't end: it waits for a worker, and all {self.life.wanted} workers of "
                f'"{self.definition.id}" wait for jobs of their own pool. '
                "Give it more workers, or another task for such jobs."
            )

    def _step(self, left: float | None, job: Job, inside: CurrentJob | None) -> float | None:
        """How long to wait at once: in small steps for what nobody tells of, as a rollback."""
        if job.status != HELD and inside is None:
            return left
        # Thousands of coroutines look less often, each.
        look = HELD_LOOK * (1 + len(self.waiting_workers) / 100)
        return look if left is None else max(0.0, min(left, look))

    def _timeout(self, job_id: int, timeout: float | None) -> TimeoutError:
        return TimeoutError(f'Job {job_id} of "{self.definition.id}" has not ended within {timeout:g} s.')


def _ended(job: Job) -> float:
    return float("inf") if job.ended is None else job.ended
