"""How a failed job comes into an embedded pool again."""

from yao_tasks.core.errors import DuplicateJob, PoolClosed, QueueFull
from yao_tasks.core.jobs import FAILED, Job
from yao_tasks.engines.adding import Adding


class Retrying(Adding):
    """The adding half of an embedded pool, with the jobs that a person has tried again."""

    def retry(self, job_id: int) -> None:
        """Run a failed job again, as `Engine.retry` says."""
        self._prepare()
        old = self.find(job_id)
        if old.status != FAILED:
            raise ValueError(
                f'Job {job_id} of "{self.definition.id}" is no failure: only those can be retried.'
            )
        if old.holder is not None:
            raise ValueError(
                f'Job {job_id} of "{self.definition.id}" is still being added: retry it after that.'
            )
        new = Job(old.id, old.args, old.kwargs, old.added, old.added_at)
        new.attempt = new.base = old.attempt
        new.ready = self.monotonic()
        new.terms = old.terms
        new.row = None if old.row is None else old.row.next_life(old)
        try:
            told = self.life.revive(old, new)
        except (QueueFull, DuplicateJob, PoolClosed):
            self.life.count_refusal(1)
            raise
        self.retention.let_go(old)
        self.batches.replace(old, new)
        if new.row is not None:
            new.row.touch(new)
        if told:
            self._offer_new(new)
