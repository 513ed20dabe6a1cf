"""History forgets: by age, by number, by hand and by itself."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import SECONDS, Site
from tests.journal.conftest import Recorded, Rows, written
from yao_tasks import boot, conf
from yao_tasks.journal import pruning
from yao_tasks.journal.pruning import Keep, prune, too_many
from yao_tasks.models import JobOwner, JobRecord, JobStatus

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def history(rows: Rows) -> Rows:
    """A row for each of the last hundred days, the newest first; and two that have not ended."""
    ended = [
        JobRecord(
            task="job",
            job_id=day + 1,
            status=JobStatus.SUCCESS,
            args="[[],{}]",
            added_at=NOW - timedelta(days=day),
            ended_at=NOW - timedelta(days=day),
        )
        for day in range(100)
    ]
    live = [
        JobRecord(
            task="job",
            job_id=1_000 + number,
            status=JobStatus.WAITING,
            args="[[],{}]",
            added_at=NOW - timedelta(days=500),
        )
        for number in range(2)
    ]
    rows.all().bulk_create([*ended, *live])
    return rows


def left(rows: Rows) -> list[int]:
    return list(rows.all().filter(ended_at__isnull=False).order_by("job_id").values_list("job_id", flat=True))


@pytest.mark.parametrize(
    ("keep", "count"),
    [
        (Keep(), 100),
        (Keep(days=30.5), 31),
        (Keep(most=7), 7),
        (Keep(days=30.5, most=7), 7),
        (Keep(days=3.5, most=50), 4),
        (Keep(days=0), 0),
        (Keep(most=0), 0),
        (Keep(days=10**6, most=10**6), 100),
    ],
    ids=str,
)
def test_the_newest_within_both_bounds_stay_and_what_lives_always(
    history: Rows, keep: Keep, count: int
) -> None:
    assert too_many(history.database, keep, NOW.timestamp()).count() == 100 - count

    deleted = sum(prune(history.database, keep, NOW.timestamp()))

    assert deleted == 100 - count
    assert left(history) == list(range(1, count + 1))
    assert history.all().filter(ended_at__isnull=True).count() == 2


def test_it_goes_slice_by_slice(history: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "SLICE", 30)

    slices = list(prune(history.database, Keep(most=10), NOW.timestamp()))

    assert slices == [30, 30, 30]


def test_the_writer_prunes_by_itself_a_little_at_a_time(
    history: Rows, site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "SLICE", 10)
    monkeypatch.setattr(pruning, "BUDGET", 0.0)
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RECORD_MAX": 5}
    conf.reset()
    pool = site.task("job", lambda job_id: None, record=True)

    pool.wait(pool.add(), SECONDS)
    written()
    after_one = len(left(history))
    assert 5 < after_one <= 101
    for _ in range(12):
        pool.wait(pool.add(), SECONDS)
        written()

    assert len(left(history)) <= 6
    # The newest: those of just now.
    assert min(left(history)[-5:]) > 10**6


def test_a_process_that_ended_long_ago_goes_with_its_last_row(history: Rows, task: Recorded) -> None:
    pool = task(lambda job_id: None)
    pool.wait(pool.add(), SECONDS)
    written()
    boot.reset()
    owners = JobOwner.objects.using(history.database)
    assert owners.count() == 1
    later = time.time() + 31 * 86_400

    list(prune(history.database, Keep(days=30), later))

    assert owners.count() == 0
    assert left(history) == []
