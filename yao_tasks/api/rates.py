"""How often a user may add over HTTP: `USER_RATE` times a minute, in each process."""

import threading
import time
from collections import deque

from django.utils.translation import gettext

from yao_tasks import conf
from yao_tasks.api.answers import later

MINUTE = 60.0
# So many users are remembered: with the next one, those go who have been quiet for a minute.
REMEMBERED = 1_000

_adds: dict[str, deque[float]] = {}
# Guards the adds.
_looking = threading.Lock()


def count_add(user: str) -> None:
    """Count an add of this user now. Refused with 429 where he has had his share of the last minute."""
    most, now = conf.current().user_rate, time.monotonic()
    with _looking:
        if len(_adds) > REMEMBERED:
            _forget_the_quiet(now)
        moments = _adds.setdefault(user, deque())
        while moments and moments[0] <= now - MINUTE:
            moments.popleft()
        wait = moments[-most] + MINUTE - now if len(moments) >= most else 0.0
        if not wait:
            moments.append(now)
    if wait:
        sentence = gettext("You may add %(count)d jobs a minute: try again later.") % {"count": most}
        raise later(sentence, wait + 0.5)


def forget() -> None:
    """Begin anew. For tests."""
    _adds.clear()


def _forget_the_quiet(now: float) -> None:
    for user in [user for user, moments in _adds.items() if not moments or moments[-1] <= now - MINUTE]:
        del _adds[user]
