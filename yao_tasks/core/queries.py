"""What `pool.search` looks for, whether jobs are in memory or rows."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What `pool.search` looks for; None: whatever. Checked by `pools`."""

    status: str | None = None
    kind: str | None = None
    phase: str | None = None
    text: str | None = None
    order: str = "-added_at"
    since: datetime | None = None
    until: datetime | None = None
    offset: int = 0
    limit: int = 100
