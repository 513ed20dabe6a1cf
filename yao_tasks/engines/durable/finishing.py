"""`current_job().finishing()`: a handler's own rows and its job's end, in one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction

from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.jobs import Job
from yao_tasks.engines.durable.held import ending_of
from yao_tasks.engines.durable.parts import DurableParts
from yao_tasks.journal.durable import endings
from yao_tasks.journal.durable.endings import Ending


class DurableFinishing(DurableParts):
    """Lets a handler write its job's end. Called in the handler's thread."""

    @contextmanager
    def finishing(self, job: Job, attempt: int, result: object) -> Iterator[None]:
        """As `CurrentJob.finishing` says."""
        text = self.ends.encoded(result)
        database = self.home.journal.database
        ending: Ending | None = None
        now = 0.0
        try:
            with transaction.atomic(using=database):
                yield
                now = self.monotonic()
                written = ending_of(job, ended=now, result=text)
                if endings.write(connections[database], [written]) or not self.ends.finish(job, attempt):
                    raise JobNotFound(
                        f'Job {job.id} of "{self.definition.id}" has ended, or is another process\'s by now: '
                        "what was written with its end is rolled back."
                    )
                if written.end is not None:
                    self.home.journal.follow([written.end])
                ending = written
        except BaseException as error:
            if ending is not None:
                # Only the commit itself can have failed: the run has come to no end.
                self.ends.not_committed(job, attempt, error)
            raise
        assert ending is not None
        self.home.journal.clerk.inbox.finished(ending, self.ends.succeeded_by(job, now, result))
