"""`JobInfo.elapsed` and `JobInfo.eta`: how long a run has taken, and how long it will take."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from yao_tasks.core.jobs import JobInfo

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def picture(**fields: Any) -> JobInfo:
    """A job whose run began ten seconds ago."""
    values: dict[str, Any] = {
        "id": 1, "task": "job", "status": "RUNNING", "current": 0, "total": 0, "message": "", "response": None,
        "error": None, "args": (), "kwargs": {}, "attempt": 1, "added_at": NOW - timedelta(seconds=30),
        "started_at": NOW - timedelta(seconds=10), "ended_at": None, "due_at": None, "worker": None, "_drawn_at": NOW,
    }  # fmt: skip
    return JobInfo(**{**values, **fields})


@pytest.mark.parametrize(
    ("fields", "elapsed", "eta"),
    [
        ({}, 10, None),
        ({"current": 1, "total": 4}, 10, 30),
        ({"current": 4, "total": 4}, 10, 0),
        ({"current": 0, "total": 4}, 10, None),
        ({"current": 5, "total": 4}, 10, None),
        ({"current": 5e-324, "total": 1e308}, 10, None),
        ({"current": float("nan"), "total": 4}, 10, None),
        ({"status": "WAITING", "started_at": None}, None, None),
        ({"status": "WAITING", "due_at": NOW, "current": 1, "total": 4}, None, None),
        ({"status": "SUCCESS", "ended_at": NOW - timedelta(seconds=3), "current": 1, "total": 4}, 7, None),
        ({"status": "FAILURE", "started_at": None, "ended_at": NOW}, None, None),
        ({"started_at": NOW + timedelta(seconds=5)}, 0, None),
        # The first of thousands of rows promises nothing yet; a hundredth of them does, and so do ten seconds.
        ({"started_at": NOW - timedelta(seconds=2), "current": 1, "total": 3_000}, 2, None),
        ({"started_at": NOW - timedelta(seconds=2), "current": 30, "total": 3_000}, 2, 198),
        ({"current": 1, "total": 3_000}, 10, 29_990),
    ],
)
def test_the_time_that_is_left_is_told_where_something_tells(
    fields: dict[str, Any], elapsed: float | None, eta: float | None
) -> None:
    info = picture(**fields)

    assert (info.elapsed, info.eta) == (elapsed, eta)


def test_a_picture_keeps_its_moment() -> None:
    info = picture(current=1, total=2)

    assert info.as_dict()["elapsed"] == info.elapsed == 10
    assert info == picture(current=1, total=2, _drawn_at=NOW + timedelta(seconds=1))
    assert not [name for name in info.as_dict() if name.startswith("_")]
