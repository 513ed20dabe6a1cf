"""The embedded engine of a task that is recorded: what memory doesn't know, the journal is asked for."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from time import time as wall

from django.db import DatabaseError, InterfaceError

from yao_tasks.core.errors import JobElsewhere, JobNotFound
from yao_tasks.core.jobs import DROPPED, FAILED, FAILURE_NAME, READY, Job, JobInfo
from yao_tasks.core.lifecycle import TRIED_AGAIN
from yao_tasks.core.queries import Query
from yao_tasks.engines import transactions
from yao_tasks.engines.embedded import EmbeddedEngine
from yao_tasks.engines.parts import check_id
from yao_tasks.engines.search import moment
from yao_tasks.journal.past import Past

# Rows follow their jobs within half of it (s).
ON_ITS_WAY = 0.2
# Who waits for a job of another process looks at its row this often: at first, and after a while (s).
POLLS = (0.05, 0.1, 0.25, 0.5)


class RecordedEngine(EmbeddedEngine):
    """As the embedded one, with a past: each job can be found as long as its row is kept, from every process."""

    supports = EmbeddedEngine.supports | {"record", "remove"}
    asks_database = True

    def get(self, job_id: int) -> JobInfo:
        """The job as it is now, as `Engine.get` says."""
        try:
            info = super().get(job_id)
        except JobNotFound:
            return self._past(job_id).info
        return self._past(job_id).info if info.status == FAILURE_NAME and self._taken([job_id]) else info

    def wait(self, job_id: int, timeout: float | None) -> JobInfo:
        """Wait for the job's end, as `Engine.wait` says; for that of another process by looking at its row."""
        try:
            return super().wait(job_id, timeout)
        except JobNotFound:
            past = self._past(job_id)
        until = None if timeout is None else self.monotonic() + timeout
        for pause in pauses():
            if past.info.is_finished:
                break
            left = pause if until is None else until - self.monotonic()
            if left <= 0:
                raise self._timeout(job_id, timeout)
            time.sleep(min(pause, left))
            past = self._past(job_id)
        return past.info

    async def await_end(self, job_id: int, timeout: float | None) -> JobInfo:
        """The same in a coroutine, as `Engine.await_end` says."""
        import asyncio

        from asgiref.sync import sync_to_async

        try:
            return await super().await_end(job_id, timeout)
        except JobNotFound:
            look = sync_to_async(self._past)
            past = await look(job_id)
        until = None if timeout is None else self.monotonic() + timeout
        for pause in pauses():
            if past.info.is_finished:
                break
            left = pause if until is None else until - self.monotonic()
            if left <= 0:
                raise self._timeout(job_id, timeout)
            await asyncio.sleep(min(pause, left))
            past = await look(job_id)
        return past.info

    def as_completed(self, ids: Sequence[int], timeout: float | None) -> Iterator[JobInfo]:
        """The jobs as they end, as `Engine.as_completed` says: first those that only the journal knows."""
        mine, others = [], []
        for job_id in dict.fromkeys(ids):
            try:
                if job_id:
                    self.find(job_id)
                mine.append(job_id)
            except JobNotFound:
                others.append(self._past(job_id).info)
        return self._mixed(mine, others, timeout)

    def _mixed(
        self, mine: Sequence[int], others: Sequence[JobInfo], timeout: float | None
    ) -> Iterator[JobInfo]:
        until = None if timeout is None else self.monotonic() + timeout
        ended = [info for info in others if info.ended_at is not None]
        yield from sorted(ended, key=lambda info: str(info.ended_at))
        yield from super().as_completed(mine, timeout)
        for info in others:
            if info.ended_at is None:
                yield self.wait(info.id, None if until is None else max(0.0, until - self.monotonic()))

    def search(self, query: Query) -> list[JobInfo]:
        """The jobs that fit, as `Engine.search` says: of this memory, and the rows of all others."""
        self.forget_dropped()
        self.retention.trim(self.monotonic())
        jobs, ended = self.life.jobs, self.life.ended
        page, place_of = query.offset + query.limit, moment(query.order.removeprefix("-"))
        mine = {place_of(job): job for job in self._page(replace(query, offset=0, limit=page))}
        found = {job.id for job in mine.values()}
        last = list(mine)[-1] if mine and len(mine) >= page else None
        rows = self.home.journal.places(
            self.definition.id,
            query,
            # Who is in neither, as for a moment one that ends just now, is what its row says.
            is_known=lambda job_id: job_id in found or job_id in jobs or job_id in ended,
            last=last,
            most=page,
        )
        places = sorted([*mine, *rows], reverse=query.order.startswith("-"))[query.offset : page]
        drawn = self.home.journal.drawn(
            self.definition.id, [place[1] for place in places if place not in mine]
        )
        live = [job for place in places if (job := mine.get(place)) is not None and job.status != DROPPED]
        drawn |= {job.id: self.draw(job) for job in live}
        # A row may be gone since.
        return [drawn[job_id] for _, job_id in places if job_id in drawn]

    def _page(self, query: Query) -> list[Job]:
        page = self.pages.page(query)
        return (
            self.pages.page(query) if self._taken([job.id for job in page if job.status == FAILED]) else page
        )

    def _taken(self, failures: Sequence[int]) -> set[int]:
        """Those that a person had tried again from another process, whose rows know better: memory forgets them."""
        try:
            taken = self.home.journal.taken(self.definition.id, failures) if failures else set()
        except (DatabaseError, InterfaceError):
            # What memory knows is better than nothing.
            return set()
        for job_id in taken:
            job = self.retention.find(job_id, self.monotonic())
            if job is not None and job.status == FAILED:
                self.retention.drop(job)
        return taken

    def progress(self, job_id: int, current: float, total: float, message: str) -> None:
        """Report progress, as `Engine.progress` says. JobElsewhere for a job that another process runs."""
        try:
            super().progress(job_id, current, total, message)
        except JobNotFound as error:
            self._refuse_elsewhere(job_id)
            raise error from None

    def cancel(self, job_id: int) -> bool:
        """End the job, as `Engine.cancel` says. JobElsewhere for one that lives in another process."""
        if super().cancel(job_id):
            return True
        self._refuse_elsewhere(job_id)
        return False

    def retry(self, job_id: int) -> None:
        """Run a failed job again, as `Engine.retry` says; one of an earlier process, too."""
        check_id(job_id)
        job = self.retention.find(job_id, self.monotonic())
        if job is not None and job.status == FAILED and self._taken([job_id]):
            self._retry_from_row(self._past(job_id))
            return
        try:
            super().retry(job_id)
        except JobNotFound:
            self._retry_from_row(self._past(job_id))

    def remove(self, ids: Sequence[int]) -> set[int]:
        """Delete the records of jobs that have ended, and forget them; answers which."""
        gone = self.home.journal.remove(self.definition.id, ids)
        for job_id in gone:
            job = self.retention.find(job_id, self.monotonic())
            if job is not None and job.ended is not None:
                self.retention.drop(job)
        return gone

    def _retry_from_row(self, past: Past) -> None:
        """Bring a job back to memory. Its row is claimed first, so that no two processes do."""
        if past.info.status != "FAILURE":
            self._refuse_elsewhere(past.info.id)
            raise ValueError(
                f'Job {past.info.id} of "{self.definition.id}" is no failure: only those can be retried.'
            )
        self._prepare()
        job = self._revived(past)
        block = transactions.open_block(self.home.journal.database)
        job.holder = threading.get_ident()
        self._admit_at_once(job)
        try:
            claimed = self.home.journal.claim_failure(past, TRIED_AGAIN)
        except BaseException:
            self.life.drop(job)
            raise
        if not claimed:
            self.life.drop(job)
            raise JobNotFound(f'Job {job.id} of "{self.definition.id}" is no longer known as a failure.')
        if block is not None:
            transactions.hold(partial(self._come_back, job), [job], block, self.dropped)
        else:
            self._come_back(job)

    def _come_back(self, job: Job) -> None:
        """Let a job run that was brought back: as one that was added, without its event."""
        if not self.life.accept(job):
            self.retention.keep(job, self.monotonic())
        assert job.row is not None
        job.row.touch(job)
        if self.life.release(job) == READY:
            self._offer_new(job)
        else:
            self.announcer.announce(job)

    def _revived(self, past: Past) -> Job:
        info = past.info
        age = wall() - info.added_at.timestamp()
        job = Job(info.id, info.args, dict(info.kwargs), self.monotonic() - age, info.added_at.timestamp())
        job.attempt = job.base = info.attempt
        job.ready = self.monotonic()
        assert self.rows is not None
        row = job.row = self.rows.row(job)
        row.runs = past.all_runs()
        return job

    def _past(self, job_id: int) -> Past:
        """What the journal knows of a job. JobNotFound, JobElsewhere as `find` says."""
        check_id(job_id)
        journal, task = self.home.journal, self.definition.id
        past = journal.past(task, job_id)
        if past is None and self._elsewhere(job_id) is not None:
            # Just added, perhaps, by a process whose writer is a moment behind.
            time.sleep(ON_ITS_WAY)
            past = journal.past(task, job_id)
        if past is None:
            raise JobNotFound(f'"{task}" has no job {job_id}, in memory or in the database, if it ever had.')
        return past

    def _missing(self, job_id: int) -> JobNotFound:
        # The journal knows better: whoever catches this asks it.
        return JobNotFound(f'Job {job_id} of "{self.definition.id}" is not in the memory of this process.')

    def _refuse_elsewhere(self, job_id: int) -> None:
        """JobElsewhere if the job lives in another process."""
        past = self.home.journal.past(self.definition.id, job_id)
        if past is not None and not past.info.is_finished and not past.is_mine:
            raise JobElsewhere(
                f'Job {job_id} of "{self.definition.id}" lives in the memory of process {past.owner}, which alone can '
                "steer it."
            )


def pauses() -> Iterator[float]:
    """How long to wait before each look at a row: ever longer, to a bound (s)."""
    yield from POLLS
    while True:
        yield POLLS[-1]
