"""Waiting for an end, where it meets those who give up."""

import threading

from yao_tasks.core.waiting import wake


def test_a_waiter_that_gives_up_while_the_others_are_woken_disturbs_nobody() -> None:
    woken: list[int] = []
    waiters: dict[int, threading.Event] = {}

    class Waiter(threading.Event):
        def set(self) -> None:
            woken.append(len(waiters))
            waiters.pop(3, None)  # another thread's time is up just now

    for number in (1, 2, 3):
        waiters[number] = Waiter()
    wake(waiters)

    assert len(woken) == 3
