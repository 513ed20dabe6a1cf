"""A job that is asked for by its id, which a reader may know before this process does.

Its commit may be under way, or its row on the way from another process: so an id that isn't known is asked for
again for two seconds. Whoever may not see the job waits as long, so that no clock tells him what there is.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.translation import gettext

from yao_tasks import servers
from yao_tasks.api.access import Reader
from yao_tasks.api.answers import Refused, missing
from yao_tasks.core.errors import JobElsewhere, JobNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.pools import Pool, tasks

# What an id that isn't known yet is waited for (s).
PATIENCE = 2.0
# It is looked for this often: soon at first, then less (s).
PAUSES = (0.02, 0.05, 0.1, 0.25)
# Most requests that wait so at once in a process; the next are answered at once.
MOST = 50
# A process that answers one request at a time waits so long in a row, and then a tenth of its time.
MOST_HELD_UP = 10.0
SHARE_HELD_UP = 0.1

_waiting = 0
# Guards how many wait, and how long that may take.
_counting = threading.Lock()


def find(request: HttpRequest, task: str, job_id: int, reader: Reader | None) -> tuple[Pool, JobInfo]:
    """The task's pool and a picture of the job. Refused with 404, 409 for a job that can't be seen from here."""
    until = time.monotonic() + PATIENCE
    found = _look(task, job_id, reader)
    if found is not None:
        return found
    with _a_place(servers.spare_threads(request.META)) as may_wait:
        for pause in _pauses():
            left = until - time.monotonic()
            if not may_wait or left <= 0:
                raise missing()
            time.sleep(min(pause, left))
            found = _look(task, job_id, reader)
            if found is not None:
                return found
    raise AssertionError("pauses never end")


def _look(task: str, job_id: int, reader: Reader | None) -> tuple[Pool, JobInfo] | None:
    if reader is None or task not in tasks:
        return None
    pool = Pool(task)
    try:
        return pool, pool.get(job_id)
    except JobElsewhere as error:
        sentence = gettext("The job is in the memory of another process of this site: it can't be seen here.")
        # That one names the process, and the cure.
        raise Refused(409, str(error) if reader.is_staff else sentence) from error
    except (JobNotFound, ImproperlyConfigured):
        return None


@contextmanager
def _a_place(spare: int | None) -> Iterator[bool]:
    """Whether there is a place to wait in. `spare`: the threads that may be kept waiting; None: any number."""
    global _waiting, _hold_ups
    began = time.monotonic()
    with _counting:
        if spare == 0:
            # Nobody else is answered meanwhile: whoever asks for what isn't there must not stop the site.
            free = not _waiting and _hold_ups.allow(began)
        else:
            free = _waiting < (MOST if spare is None else min(MOST, spare))
        _waiting += free
    try:
        yield free
    finally:
        with _counting:
            _waiting -= free
            if free and spare == 0:
                _hold_ups = _hold_ups.after(began, time.monotonic())


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUps:
    """How long a process with one thread may still be held up, and since when that is so. Monotonic seconds."""

    left: float
    at: float

    def allow(self, now: float) -> bool:
        """Whether one more may wait, as long as it takes."""
        return self._left(now) >= PATIENCE

    def after(self, began: float, ended: float) -> "HoldUps":
        """What is left after one has waited."""
        return HoldUps(left=self._left(began) - (ended - began), at=ended)

    def _left(self, now: float) -> float:
        return min(MOST_HELD_UP, self.left + (now - self.at) * SHARE_HELD_UP)


_hold_ups = HoldUps(left=MOST_HELD_UP, at=0.0)


def _pauses() -> Iterator[float]:
    yield from PAUSES
    while True:
        yield PAUSES[-1]
