"""How many jobs stand how: of a task in memory what its pool says, of a recorded one what the rows say."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from django.db import transaction
from django.utils.translation import gettext

from yao_tasks import conf
from yao_tasks.dashboard.durations import duration
from yao_tasks.dashboard.keeping import kept
from yao_tasks.dashboard.pages import DatabaseErrors
from yao_tasks.dashboard.readings import Reading
from yao_tasks.journal import counting

Answer = TypeVar("Answer")

# Ended jobs are counted so often at most (s); what a count takes a hundred times over is a bound, too.
ENDED_SECONDS = 5.0
LIVE_SECONDS = 1.0
# One look for changes is for all that is kept.
MARK_SECONDS = 1.0
# What is said of a count's age is rounded up to these (s): a page that says more would be another one each time.
AGES = (5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class Counts:
    """For one request: asks the database once, and only where a task is recorded."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.is_partial = False
        """Whether rows could not be counted."""
        self._rows: dict[str, Counter[str]] | None = None
        self._seconds = 0.0
        if any(one.is_recorded for one in readings):
            self._ask()

    def of(self, reading: Reading) -> Mapping[str, int]:
        """By the name of a tab, and by kind of failure."""
        if not reading.is_recorded or self._rows is None:
            return of_memory(reading.metrics)
        return self._rows.get(reading.config.id, Counter())

    @property
    def note(self) -> str:
        """What the reader should know of the counts; empty where they are of this moment."""
        if self.is_partial:
            return gettext("Recorded jobs can't be counted now: the database doesn't answer.")
        age = next((age for age in AGES if age >= self._seconds), AGES[-1])
        if self._rows is None or self._seconds < 1:
            return ""
        return gettext("Recorded jobs were counted in the last %(time)s.") % {"time": duration(age)}

    def _ask(self) -> None:
        try:
            live, _ = kept("live", partial(_asked, counting.live), least=LIVE_SECONDS, mark=mark)
            ended, self._seconds = kept(
                "ended", partial(_asked, counting.ended), least=ENDED_SECONDS, mark=mark
            )
        except DatabaseErrors:
            self.is_partial = True
            return
        self._rows = {
            task: live.get(task, Counter()) + ended.get(task, Counter()) for task in {*live, *ended}
        }


def mark() -> object:
    """Something else as soon as recorded jobs have changed, as `counting.mark` says. Raises django.db.Error."""
    return kept("mark", partial(_asked, counting.mark), least=MARK_SECONDS)[0]


def _asked(question: Callable[[str], Answer]) -> Answer:
    database = conf.current().database
    # In a block of its own: a failure inside the request's transaction would break that.
    with transaction.atomic(using=database):
        return question(database)


def of_memory(metrics: Mapping[str, Any]) -> dict[str, int]:
    """How many jobs each tab of one pool has, and each kind of failure, in the memory of this process."""
    remembered = metrics["kept"]
    return {
        "running": metrics["running"],
        "waiting": max(0, metrics["waiting"] - metrics["delayed"]),
        "retrying": metrics["retrying"],
        "delayed": max(0, metrics["delayed"] - metrics["retrying"]),
        "succeeded": remembered["succeeded"],
        "failed": sum(remembered.values()) - remembered["succeeded"],
        **{kind: remembered[kind] for kind in metrics["failed"]},
    }
