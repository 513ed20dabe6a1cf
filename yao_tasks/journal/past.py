"""A recorded job, found: its picture, and whose memory it lives or lived in."""

from dataclasses import dataclass

from yao_tasks.core.jobs import JobInfo
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
