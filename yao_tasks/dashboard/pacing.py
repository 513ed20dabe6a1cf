"""Do something again and again, at a rate: retrying hundreds at once would flood what they all call."""

import threading
import time
from collections.abc import Callable, Sequence

from django.db import connections

from yao_tasks import boot
from yao_tasks.core.errors import PoolClosed, QueueFull
from yao_tasks.core.log import logger
from yao_tasks.house import House

# Who waits for a full queue, or whose pools were closed, looks this often at least (s).
LOOK = 1.0

Act = Callable[[], object]


def pace(acts: Sequence[Act], per_second: float) -> None:
    """Do these in a thread of their own, so many a second; ends with the process, or when its pools are closed.

    Where a queue is full the rest waits. An act that fails otherwise is left out, with a line in the log.
    """
    house = boot.house()
    thread = threading.Thread(
        target=_run, args=(acts, 1 / per_second, house), name="yao_tasks-dashboard-pace", daemon=True
    )
    thread.start()


def _run(acts: Sequence[Act], pause: float, house: House) -> None:
    try:
        _act(acts, pause, house)
    finally:
        # A recorded job is tried again by its row: this thread may have opened connections.
        connections.close_all()


def _act(acts: Sequence[Act], pause: float, house: House) -> None:
    for place, act in enumerate(acts):
        if place:
            _sleep(pause, house)
        while not house.closed:
            try:
                act()
            except QueueFull:
                _sleep(LOOK, house)
                continue
            except PoolClosed:
                return
            except Exception as error:  # noqa: BLE001 - it may have been forgotten, or tried again by somebody else
                logger.info("The dashboard left out a job: %s", error)
            break


def _sleep(seconds: float, house: House) -> None:
    until = time.monotonic() + seconds
    while not house.closed and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, LOOK))
