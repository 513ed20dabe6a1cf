"""How one looks at durable jobs: the row is the truth, and memory knows better only of what runs here."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.jobs import ENDING, JobInfo
from yao_tasks.engines.durable.parts import DurableParts
from yao_tasks.engines.durable.pictures import RowsOfTask
from yao_tasks.engines.parts import check_id
from yao_tasks.engines.recorded import RecordedEngine, pauses
from yao_tasks.journal.durable import counts
from yao_tasks.journal.past import Past
from yao_tasks.journal.sql import aware, in_utc

# What metrics() counts in the database is counted so seldom that it takes one part in so many of the time, and so far.
SHARE = 20
MOST = 1_000_000
# How often, and how long apart (s), a job is looked at that this process has claimed and doesn't know yet.
LOOKS = 20
LOOK = 0.001


class DurableLooking(DurableParts, RecordedEngine):
    """The looking half of a durable pool."""

    def get(self, job_id: int) -> JobInfo:
        """The job as it is now, as `Engine.get` says."""
        check_id(job_id)
        self.forget_dropped()
        for _ in range(LOOKS):
            job = self.life.jobs.get(job_id)
            # Of what runs here memory knows more than the row, but for an end, which the row has first.
            if job is not None and job.status < ENDING:
                return self.draw(job)
            past = self._past(job_id)
            if job is not None or not past.is_mine or past.info.status != "RUNNING":
                break
            # This process claims it just now, and is about to know it.
            time.sleep(LOOK)
        info = past.info
        return self.draw(job) if job is not None and job.status == ENDING and not info.is_finished else info

    def wait(self, job_id: int, timeout: float | None) -> JobInfo:
        """Wait for the job's end, as `Engine.wait` says: woken where it ends here, else by looking at its row."""
        until = None if timeout is None else self.monotonic() + timeout
        self.refuse_own(job_id)
        with self.listening(job_id) as ended, self._as_waiting_worker() as inside:
            for pause in pauses():
                info = self._past(job_id).info
                if info.is_finished:
                    return info
                self.refuse_endless(info, inside)
                left = pause if until is None else min(pause, until - self.monotonic())
                if left <= 0:
                    break
                ended.wait(left)
        raise self._timeout(job_id, timeout)

    async def await_end(self, job_id: int, timeout: float | None) -> JobInfo:
        """The same in a coroutine, as `Engine.await_end` says."""
        import asyncio

        from asgiref.sync import sync_to_async

        look, loop = sync_to_async(self._past), asyncio.get_running_loop()
        until = None if timeout is None else self.monotonic() + timeout
        self.refuse_own(job_id)
        ended = asyncio.Event()
        with self.listening(job_id, call=lambda: loop.call_soon_threadsafe(ended.set)):
            for pause in pauses():
                info = (await look(job_id)).info
                if info.is_finished:
                    return info
                left = pause if until is None else min(pause, until - self.monotonic())
                if left <= 0:
                    break
                try:
                    await asyncio.wait_for(ended.wait(), left)
                except TimeoutError:
                    pass
        raise self._timeout(job_id, timeout)

    def as_completed(self, ids: Sequence[int], timeout: float | None) -> Iterator[JobInfo]:
        """The jobs as they end, as `Engine.as_completed` says."""
        wanted = {job_id: self._past(job_id).info for job_id in dict.fromkeys(ids) if job_id}
        for job_id in wanted:
            self.refuse_own(job_id)
        return self._ending(wanted, timeout)

    def _ending(self, wanted: dict[int, JobInfo], timeout: float | None) -> Iterator[JobInfo]:
        until = None if timeout is None else self.monotonic() + timeout
        count = len(wanted)
        with self.listening(*wanted) as ended:
            for pause in pauses():
                done = [info for info in wanted.values() if info.is_finished]
                for info in sorted(done, key=lambda one: str(one.ended_at)):
                    del wanted[info.id]
                    yield info
                if not wanted:
                    return
                left = pause if until is None else min(pause, until - self.monotonic())
                if left <= 0:
                    raise TimeoutError(f"{len(wanted)} of {count} jobs have not ended within {timeout:g} s.")
                ended.wait(left)
                ended.clear()
                wanted.update(self.home.journal.several(self.definition.id, list(wanted)))

    def _past(self, job_id: int) -> Past:
        """The row of a job. JobNotFound where there is none."""
        check_id(job_id)
        past = self.home.journal.found(self.size.tasks, job_id)
        if past is None:
            raise JobNotFound(f'"{self.definition.id}" has no job {job_id} in the database, if it ever had.')
        return past

    def jobs(self) -> Mapping[int, JobInfo]:
        """The live jobs of all processes, by their rows."""
        return RowsOfTask(self.home.journal.database, self.size.tasks, self.get)

    def metrics(self) -> dict[str, Any]:
        """The pool in numbers, as `Engine.metrics` says: what waits, of all processes; the rest of this one."""
        numbers = super().metrics()
        now = time.time()
        waiting, delayed, oldest = self._waiting(aware(now))
        since = in_utc(oldest)
        return {
            **numbers,
            "added": self.added,
            "waiting": waiting,
            "queued": waiting,
            "delayed": delayed,
            "oldest_waiting": 0.0 if since is None else max(0.0, now - since.timestamp()),
        }

    def _waiting(self, now: datetime) -> counts.Waiting:
        began = self.monotonic()
        if began >= self.counted_at:
            self.counted = counts.all_waiting(self.home.journal.database, self.size.tasks, now, MOST)
            self.counted_at = began + SHARE * (self.monotonic() - began)
        return self.counted

    def refuse_own(self, job_id: int) -> None:
        """RuntimeError for a job that the calling thread's own open transaction has added."""
        check_id(job_id)
        self.forget_dropped()
        if self.uncommitted.get(job_id) == threading.get_ident() or job_id in self.adding:
            raise RuntimeError(
                f"Job {job_id} waits for this thread itself, to commit its transaction or to return from "
                "event.add: wait for it after that."
            )

    def refuse_endless(self, info: JobInfo, inside: object) -> None:
        """RuntimeError where all workers of this process wait for jobs of their own pool, and no other runs it."""
        if inside is None or info.status != "WAITING" or len(self.waiting_workers) < self.life.wanted:
            return
        waiting = {(one.id, one.attempt) for one in list(self.waiting_workers) if not one.cancelled}
        if len(waiting) >= self.life.wanted:
            raise RuntimeError(
                f"Job {info.id} can't end: it waits for a worker, and all {self.life.wanted} workers of "
                f'"{self.definition.id}" wait for jobs of their own pool. '
                "Give it more workers, or another task for such jobs."
            )
