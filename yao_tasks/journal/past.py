"""A recorded job, found: its picture, and whose memory it lives or lived in."""

import json
from dataclasses import dataclass
from typing import Any

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

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The runs before the last one, of all its lives, as far as they can be read."""
        try:
            runs = json.loads(self.row.runs or "[]")
        except (ValueError, RecursionError):
            return []
        return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []
