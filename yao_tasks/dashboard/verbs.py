"""What can be done to many jobs at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from yao_tasks import boot
from yao_tasks.core.jobs import FAILURE_NAME, JobInfo
from yao_tasks.engines.recorded import RecordedEngine
from yao_tasks.pools import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One of them."""

    name: str
    """As in the address."""
    needs: str
    """What the engine has to be able to do, as in `Pool.supports`."""
    question: Promise
    button: Promise
    count: Promise
    past: str
    """For the admin's log, which is kept in English."""
    fits: Callable[[JobInfo], bool]
    """Whether it can be done to a job as it is now."""
    act: Callable[[Pool, JobInfo], bool]
    """Do it. False where nothing was there to do it to; raises what the pool raises."""
    act_on_all: Callable[[Pool, Sequence[JobInfo]], set[int]] | None = None
    """Do it to all of these at once, where that is quicker; answers the ids of those to which it was done."""
    can_be_paced: bool = False
    is_final: bool = False
    """It can't be undone."""

    def said(self, count: int) -> str:
        """What was done, in the reader's words."""
        return str(self.count % {"count": count})

    def bound(self, pool: Pool, info: JobInfo) -> Callable[[], bool]:
        """Do it, later."""
        return partial(self.act, pool, info)


def _cancel(pool: Pool, info: JobInfo) -> bool:
    return pool.cancel(info.id)


def _retry(pool: Pool, info: JobInfo) -> bool:
    pool.retry(info.id)
    return True


def _duplicate(pool: Pool, info: JobInfo) -> bool:
    add_like(pool, info)
    return True


def add_like(pool: Pool, info: JobInfo) -> int:
    """Add a job with the arguments of this one; answers its id. Raises what `add` raises."""
    return pool.using(**at_once(pool)).add(*info.args, **info.kwargs)


def at_once(pool: Pool) -> dict[str, Any]:
    """Options with which a job starts at once: what the operator sees next must be true.

    A durable one belongs to the transaction of the request, if there is one.
    """
    return {} if "durable" in pool.supports else {"on_commit": False}


def _delete(pool: Pool, info: JobInfo) -> bool:
    return bool(_delete_all(pool, [info]))


def _delete_all(pool: Pool, infos: Sequence[JobInfo]) -> set[int]:
    engine = boot.engine(pool.id)
    assert isinstance(engine, RecordedEngine)
    return engine.remove([info.id for info in infos])


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            name="cancel",
            needs="cancel",
            question=_("Cancel jobs"),
            button=_("Cancel these jobs"),
            count=ngettext_lazy("Cancelled %(count)d job.", "Cancelled %(count)d jobs.", "count"),
            past="Cancelled",
            fits=lambda info: not info.is_finished,
            act=_cancel,
            is_final=True,
        ),
        Verb(
            name="retry",
            needs="retry",
            question=_("Retry jobs"),
            button=_("Retry these jobs"),
            count=ngettext_lazy("Retried %(count)d job.", "Retried %(count)d jobs.", "count"),
            past="Retried",
            fits=lambda info: info.status == FAILURE_NAME,
            act=_retry,
            can_be_paced=True,
        ),
        Verb(
            name="duplicate",
            needs="add",
            question=_("Duplicate jobs"),
            button=_("Duplicate these jobs"),
            count=ngettext_lazy("Duplicated %(count)d job.", "Duplicated %(count)d jobs.", "count"),
            past="Duplicated",
            fits=lambda info: True,
            act=_duplicate,
            can_be_paced=True,
        ),
        Verb(
            name="delete",
            needs="remove",
            question=_("Delete records of jobs"),
            button=_("Delete these records"),
            count=ngettext_lazy("Deleted %(count)d record.", "Deleted %(count)d records.", "count"),
            past="Deleted the records of",
            fits=lambda info: info.is_finished,
            act=_delete,
            act_on_all=_delete_all,
            is_final=True,
        ),
    )
}
