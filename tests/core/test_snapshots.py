"""A dict that other threads change is looked at."""

import sys
import threading

from yao_tasks.core.snapshots import first_of


def test_the_first_are_told_while_others_come_and_go() -> None:
    changing = dict.fromkeys(range(1_000))
    stop = threading.Event()

    def change() -> None:
        number = 1_000
        while not stop.is_set():
            # Many and then many: nearly always it is of another size than just before.
            for key in range(number, number + 64):
                changing[key] = None
            for key in range(number - 1_000, number - 936):
                del changing[key]
            number += 64

    thread = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        looks = [first_of(changing.keys(), 100) for _ in range(10_000)]
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)

    assert all(look == list(range(look[0], look[0] + 100)) for look in looks)
    assert len({look[0] for look in looks}) > 1
