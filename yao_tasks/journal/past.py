"""A recorded job, found: its picture, and whose memory it lives or lived in."""

from dataclasses import dataclass

from yao_tasks.core.jobs import JobInfo
from yao_tasks.journal import runs as lists
from yao_tasks.models import JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the journal knows of one job."""

    row: JobRecord
    info: JobInfo
    owner: str
    """The process that wrote it last, for people: host:pid."""
    is_mine: bool
    """Whether that is this process."""

    @property
    def runs(self) -> lists.Runs:
        """The runs before the last one, of all its lives, as far as they can be read."""
        return lists.read(self.row.runs)

    def all_runs(self) -> lists.Runs:
        """The same with the last run, where that failed: of a job that is tried again."""
        info, before = self.info, self.runs
        if info.error is None or info.attempt <= self.row.base:
            return before
        return lists.noted(
            before,
            attempt=info.attempt,
            started=info.started_at,
            ended=info.ended_at,
            worker=info.worker,
            error=info.error,
        )
