"""Deletes rows that a person wants gone: only of jobs that have ended."""

from collections.abc import Sequence
from contextlib import nullcontext

from django.db import connections, transaction

from yao_tasks.journal.pruning import SLICE
from yao_tasks.journal.searching import ENDED
from yao_tasks.models import JobRecord


def remove(database: str, task: str, ids: Sequence[int]) -> set[int]:
    """Delete the rows of these jobs, slice by slice; answers which have gone. Raises django.db.Error."""
    gone: set[int] = set()
    for first in range(0, len(ids), SLICE):
        gone |= _remove(database, task, ids[first : first + SLICE])
    return gone


def _remove(database: str, task: str, ids: Sequence[int]) -> set[int]:
    rows = JobRecord.objects.using(database)
    ended = rows.filter(task=task, job_id__in=ids, status__in=ENDED)
    # Locked, where a database can do that: so that of two who delete the same only one has done it.
    with transaction.atomic(using=database) if _locks(database) else nullcontext():
        chosen = dict((ended.select_for_update() if _locks(database) else ended).values_list("pk", "job_id"))
        count, _ = rows.filter(pk__in=chosen, status__in=ENDED).delete()
        # Somebody may have had one tried again just now: it lives.
        left = rows.filter(pk__in=chosen).values_list("pk", flat=True) if count < len(chosen) else ()
        return {job_id for key, job_id in chosen.items() if key not in set(left)}


def _locks(database: str) -> bool:
    return bool(connections[database].features.has_select_for_update)
