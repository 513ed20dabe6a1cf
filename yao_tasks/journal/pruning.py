"""The history forgets: by age and by number, a small slice at a time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from yao_tasks.journal.sql import aware
from yao_tasks.models import JobOwner, JobRecord, WorkflowRecord

# Rows of one DELETE: some milliseconds of the database's time.
SLICE = 200
# It is looked at this often at most, and after so many rows (s, rows).
EVERY = 600.0
ROWS = 5_000
# Of one look, the slices take so long at most; what is left comes with the next (s).
BUDGET = 0.2
DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What the history is bounded by; None: not by that."""

    days: float | None = None
    """Ended jobs go so long after their end."""
    most: int | None = None
    """Of the ended jobs, so many stay: those that ended last."""


class Pruning:
    """Prunes now and then, when something was written. For the writer's thread."""

    def __init__(self, database: str, keep: Keep, wall: Callable[[], float] = time.time) -> None:
        self.database = database
        self.keep = keep
        self.wall = wall
        self._rows = 0
        self._next = 0.0

    def after(self, rows: int) -> None:
        """So many rows were written: perhaps it is time. Raises django.db.Error."""
        self._rows += rows
        now = time.monotonic()
        if now < self._next and self._rows < ROWS:
            return
        self._rows = 0
        until = now + BUDGET
        for _ in prune(self.database, self.keep, self.wall()):
            if time.monotonic() > until:
                # More is left: go on with the next batch.
                self._next = 0.0
                return
        self._next = now + EVERY


def prune(database: str, keep: Keep, now: float) -> Iterator[int]:
    """Delete what the history needn't keep, slice by slice; answers after each how many rows it was. django.db.Error.

    `now`: seconds since 1970.
    """
    rows = too_many(database, keep, now)
    while keys := list(rows[:SLICE]):
        JobRecord.objects.using(database).filter(pk__in=keys).delete()
        yield len(keys)
    forget_owners(database, keep, now)


def forget_workflows(database: str, keep: Keep, now: float) -> None:
    """Forget workflows that ended long ago. Raises django.db.Error."""
    if keep.days is not None:
        ended = WorkflowRecord.objects.using(database).filter(
            ended_at__lt=aware(max(0.0, now - keep.days * DAY))
        )
        ended.filter(pk__in=list(ended.values_list("pk", flat=True)[:SLICE])).delete()


def too_many(database: str, keep: Keep, now: float) -> "QuerySet[JobRecord, int]":
    """The keys of the rows that the history needn't keep, the oldest first. Raises django.db.Error."""
    ended = JobRecord.objects.using(database).filter(ended_at__isnull=False)
    bounds = [] if keep.days is None else [aware(max(0.0, now - keep.days * DAY))]
    if keep.most is not None:
        newest = ended.order_by("-ended_at").values_list("ended_at", flat=True)
        # The first that is too many; what ended at the same moment goes with it.
        bounds += [moment for moment in newest[keep.most : keep.most + 1] if moment is not None]
    old = ended.filter(ended_at__lte=max(bounds)) if bounds else ended.none()
    return old.order_by("ended_at").values_list("pk", flat=True)


def forget_owners(database: str, keep: Keep, now: float) -> None:
    """Forget processes that ended long ago and have no row left."""
    if keep.days is None:
        return
    gone = JobOwner.objects.using(database).filter(ended_at__lt=aware(max(0.0, now - keep.days * DAY)))
    for key in gone.values_list("pk", flat=True)[:SLICE]:
        if not JobRecord.objects.using(database).filter(owner=key).exists():
            JobOwner.objects.using(database).filter(pk=key).delete()
