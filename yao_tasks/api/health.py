"""Whether the tasks of this process work: for load balancers and monitors."""

import threading
import time
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from yao_tasks.api.access import has
from yao_tasks.api.answers import answers
from yao_tasks.dashboard.readings import Reading, Unusable, read_all
from yao_tasks.permissions import VIEW_JOBS

# Whoever asks more often is told what was found last (s).
FRESH = 1.0
# As a pool replaces stuck workers, at most.
MOST_REPLACED = 8
# A job that is ready is taken at once by a worker that is free. A transaction may hold one back, not for so long (s).
LATE = 60.0

# Guards what was found last, and keeps all but one from looking.
_looking = threading.Lock()
_last: tuple[float, list[dict[str, str]]] = (float("-inf"), [])


@answers("GET", "HEAD")
def health(request: HttpRequest) -> HttpResponseBase:
    """200, or 503 where a task can take no job, or runs none; the reasons for those who may view jobs."""
    reasons = _reasons()
    answer = {"status": "unhealthy" if reasons else "healthy"}
    shown = {"reasons": reasons} if has(request, VIEW_JOBS) else {}
    return JsonResponse({**answer, **shown}, status=503 if reasons else 200)


def _reasons() -> list[dict[str, str]]:
    global _last
    with _looking:
        now = time.monotonic()
        if now - _last[0] > FRESH:
            _last = (now, [reason for reading in read_all() for reason in _of(reading)])
        return _last[1]


def forget() -> None:
    """Look again at the next request. For tests."""
    global _last
    _last = (float("-inf"), [])


def _of(reading: Reading | Unusable) -> Iterator[dict[str, str]]:
    """What is wrong with a task, in English: monitors look for these sentences."""
    if isinstance(reading, Unusable):
        yield {"task": reading.task, "reason": "Its definition is at fault: no job can be added."}
        return
    task, now = reading.config.id, reading.metrics
    if now["stuck"] >= now["worker_nums"] + min(reading.config.worker_nums, MOST_REPLACED):
        yield {"task": task, "reason": "All its workers hang: it takes no more jobs."}
    elif now["trouble"]:
        yield {"task": task, "reason": "Its processes can't be started."}
    elif not now["paused"] and now["running"] < now["worker_nums"] and now["oldest_waiting"] > LATE:
        yield {"task": task, "reason": "Jobs wait though workers are free: these may have died."}
