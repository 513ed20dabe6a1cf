"""The runs of a job before its last one, as its row keeps them: a list of objects in JSON, the newest at the end."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from yao_tasks.core.jobs import JobError

# More runs than that tell nobody anything.
MOST = 20
# A traceback is kept whole for the last run; of those before it, the end is what matters.
TRACEBACK = 4 * 1024

Runs = list[dict[str, Any]]

encode = DjangoJSONEncoder(allow_nan=False, separators=(",", ":")).encode


def noted(
    runs: Runs | None,
    *,
    attempt: int,
    started: datetime | None,
    ended: datetime | None,
    worker: str | None,
    error: JobError,
) -> Runs:
    """A new list, with one run more."""
    run = {
        "attempt": attempt,
        "started": None if started is None else started.isoformat(),
        "ended": None if ended is None else ended.isoformat(),
        "worker": worker,
        **asdict(error),
    }
    run["traceback"] = run["traceback"][-TRACEBACK:]
    return [*(runs or ())[1 - MOST :], run]


def read(text: str) -> Runs:
    """The runs of a row, as far as they can be read."""
    try:
        runs = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []
