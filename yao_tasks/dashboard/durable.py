"""What is special about durable tasks: their pause is a row that every process obeys, and somebody has to run them."""

from django.db import transaction
from django.utils import timezone

from yao_tasks import conf
from yao_tasks.dashboard.keeping import kept
from yao_tasks.journal.owners import is_worked
from yao_tasks.models import PausedTask
from yao_tasks.pools import Pool

# Pauses are looked up so often at most (s).
FRESH = 0.5


def pauses() -> dict[str, PausedTask]:
    """By task: those that are paused for all processes. Raises django.db.Error."""
    return kept("pauses", _pauses, least=FRESH)[0]


def sign(pool: Pool, user: str) -> None:
    """Note who has paused a durable task."""
    if "durable" in pool.supports:
        rows = PausedTask.objects.using(conf.current().database)
        rows.filter(task=pool.id, paused_by="").update(paused_by=user[:150])


def is_paused(pool: Pool) -> bool:
    """Whether the pool starts no jobs: of a durable one by its row, which this process may not have seen yet."""
    if "durable" not in pool.supports:
        return bool(pool.metrics()["paused"])
    return PausedTask.objects.using(conf.current().database).filter(task=pool.id).exists()


def has_runners() -> bool:
    """Whether a process lives that runs durable jobs. Raises django.db.Error."""
    return kept("runners", _has_runners, least=FRESH)[0]


def _pauses() -> dict[str, PausedTask]:
    database = conf.current().database
    # In a block of its own: a failure inside the request's transaction would break that.
    with transaction.atomic(using=database):
        return {row.task: row for row in PausedTask.objects.using(database)}


def _has_runners() -> bool:
    database = conf.current().database
    with transaction.atomic(using=database):
        return is_worked(database, timezone.now())
