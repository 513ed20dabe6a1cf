"""How durable jobs are steered: by their rows, so that every process obeys."""

from collections.abc import Sequence
from functools import partial as bind

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from yao_tasks.core import log, refusals
from yao_tasks.core.announcer import checked
from yao_tasks.core.current import current_job
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.failures import cancelled
from yao_tasks.core.jobs import JobError
from yao_tasks.core.lifecycle import TRIED_AGAIN, ended_as
from yao_tasks.engines.durable.adding import DurableAdding
from yao_tasks.engines.durable.claiming import DurableClaiming
from yao_tasks.engines.durable.looking import DurableLooking
from yao_tasks.engines.parts import check_id
from yao_tasks.journal import runs
from yao_tasks.journal.durable import counts, drafts, flows
from yao_tasks.models import JobRecord, JobStatus, PausedTask

# Rows of one UPDATE of a purge.
SLICE = 500


class DurableSteering(DurableClaiming, DurableAdding, DurableLooking):
    """The steering half of a durable pool."""

    def cancel(self, job_id: int) -> bool:
        """End the job, in the caller's transaction if there is one; as `Engine.cancel` says."""
        check_id(job_id)
        rows = counts.live(self.home.journal.database, self.size.tasks).filter(job_id=job_id)
        return bool(self._end_rows(rows[:1], cancelled("The job was cancelled.")))

    def cancel_members(self, flow_id: int) -> None:
        """End the live jobs of a workflow that is about to be ended."""
        live = counts.live(self.home.journal.database, self.size.tasks).filter(flow=flow_id)
        while self._end_rows(
            live.order_by("pk")[:SLICE], cancelled("Its workflow was cancelled."), follows=False
        ):
            pass

    def purge(self, *, delayed: bool) -> int:
        """Cancel what waits, in every process; as `Engine.purge` says."""
        error = cancelled("The queue was purged.")
        waiting = counts.live(self.home.journal.database, self.size.tasks).filter(status=JobStatus.WAITING)
        if not delayed:
            waiting = waiting.exclude(due_at__gt=timezone.now())
        # Those that were claimed, and have not started, wait as well.
        self.give_back_unstarted()
        count = 0
        while found := self._end_rows(waiting.order_by("pk")[:SLICE], error):
            count += found
        return count

    def retry(self, job_id: int) -> None:
        """Run a failed job again, by its row, in the caller's transaction if there is one; as `Engine.retry` says."""
        if self.life.closing:
            raise refusals.closed(self.definition.id)
        past = self._past(job_id)
        row = past.row
        if row.status != JobStatus.FAILURE:
            raise ValueError(
                f'Job {job_id} of "{self.definition.id}" is no failure: only those can be retried.'
            )
        self.size.take(1)
        key = row.key or None
        database = self.home.journal.database
        if key is not None and (twin := drafts.twin(database, self.definition.id, key)) is not None:
            raise refusals.duplicate(self.definition.id, twin)
        fields = {**TRIED_AGAIN, "base": row.attempt, "crashes": 0, "suspect": False, "unique_key": key}
        failed = JobRecord.objects.using(database).filter(pk=row.pk, status=JobStatus.FAILURE)
        if not failed.update(**fields, runs=runs.encode(past.all_runs())):
            raise ValueError(
                f'Job {job_id} of "{self.definition.id}" is no failure any more: somebody was quicker.'
            )
        transaction.on_commit(bind(self.wake_workers, [job_id]), using=database, robust=True)

    def progress(self, job_id: int, current: float, total: float, message: str) -> None:
        """Report progress, as `Engine.progress` says: of a job that this process runs."""
        inside = current_job()
        if inside is not None and inside.id == job_id and inside.task == self.definition.id:
            inside.progress(current, total, message)
            return
        check_id(job_id)
        job = self.life.jobs.get(job_id)
        if job is not None:
            self.announcer.report(job, None, current, total, message)
            return
        row = self._past(job_id).row
        if row.status == JobStatus.RUNNING:
            self._refuse_elsewhere(job_id)
        progress = checked(current, total, message)
        fields = dict(zip(("current", "total", "message"), progress, strict=True))
        waiting = counts.live(self.home.journal.database, self.size.tasks).filter(pk=row.pk)
        if not waiting.filter(status=JobStatus.WAITING).update(**fields):
            raise JobNotFound(
                f'Job {job_id} of "{self.definition.id}" has ended: its progress stays as it was.'
            )
        self.announcer.progressed(self._shadow(job_id), progress)

    def pause(self) -> None:
        """Start no more jobs, in any process, until somebody resumes; as `Engine.pause` says."""
        self.steered += 1
        PausedTask.objects.using(self.home.journal.database).get_or_create(
            task=self.definition.id, defaults={"paused_at": timezone.now()}
        )
        self.steered += 1
        self.obey(paused=True)

    def resume(self) -> None:
        """Start jobs again."""
        self.steered += 1
        PausedTask.objects.using(self.home.journal.database).filter(task=self.definition.id).delete()
        self.steered += 1
        self.obey(paused=False)

    def obey(self, *, paused: bool) -> None:
        """Somebody has paused the task, or nobody has. Called by the clerk, too."""
        if paused != self.life.paused:
            self.size.forget()
        if paused and not self.life.paused:
            self.workers.pause()
            self.give_back_unstarted()
        elif not paused and self.life.paused:
            self.workers.resume()
            self.home.journal.clerk.look(self.definition.id)

    def _end_rows(self, rows: "QuerySet[JobRecord]", error: JobError, *, follows: bool = True) -> int:
        """End live rows. What this process runs of them is stopped once that is committed.

        `follows`: their workflows go on, or end, as well.
        """
        database, ended = self.home.journal.database, []
        for row in rows:
            live = JobRecord.objects.using(database).filter(
                pk=row.pk, status__in=(JobStatus.WAITING, JobStatus.RUNNING)
            )
            if row.flow is not None and follows:
                with transaction.atomic(using=database):
                    if live.update(ended_at=timezone.now(), **ended_as(error)):
                        ended.append(row)
                        row.refresh_from_db(using=database)
                        self.home.journal.follow([flows.end_of(row)])
            elif live.update(ended_at=timezone.now(), **ended_as(error)):
                ended.append(row)
        if ended:
            transaction.on_commit(bind(self._cut, ended, error), using=database, robust=True)
        return len(ended)

    def _cut(self, rows: Sequence[JobRecord], error: JobError) -> None:
        """These have ended, by their rows: stop what runs of them here, and tell it."""
        for row in rows:
            job = self.life.jobs.get(row.job_id)
            if job is not None:
                self.let_go(job)
            self.ended_elsewhere(row, error)
        self.home.journal.mouth.tell(self.definition.id)

    def close(self, timeout: float) -> list[int]:
        """Close the pool: what waits stays, and what runs at the deadline waits again; as `Engine.close` says.

        Answers the ids of the jobs that were cut short.
        """
        deadline = self.monotonic() + timeout
        self.refuse()
        self.give_back_unstarted()
        self.settle_down(deadline)
        left = self.give_back_running()
        if left:
            log.given_back(self.definition.id, left)
        self.workers.leave(deadline, self.monotonic)
        self.announcer.finish(max(1.0, deadline - self.monotonic()))
        return left
