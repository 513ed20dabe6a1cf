"""Deletes rows that a person wants gone: only of jobs that have ended."""

from collections.abc import Sequence

from yao_tasks.journal.pruning import SLICE
from yao_tasks.journal.searching import ENDED
from yao_tasks.models import JobRecord


def remove(database: str, task: str, ids: Sequence[int]) -> set[int]:
    """Delete the rows of these jobs, slice by slice; answers which have gone. Raises django.db.Error."""
    rows, gone = JobRecord.objects.using(database).filter(task=task), set()
    for first in range(0, len(ids), SLICE):
        ended = rows.filter(job_id__in=ids[first : first + SLICE], status__in=ENDED)
        chosen = dict(ended.values_list("pk", "job_id"))
        count, _ = rows.filter(pk__in=chosen, status__in=ENDED).delete()
        if count < len(chosen):
            # Somebody had one tried again just now: it lives.
            left = set(rows.filter(pk__in=chosen).values_list("pk", flat=True))
            chosen = {key: job_id for key, job_id in chosen.items() if key not in left}
        gone |= set(chosen.values())
    return gone
