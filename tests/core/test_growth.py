"""`worker_max`: how many workers there should be, by the original's rule of thumb."""

import pytest

from yao_tasks.core.growth import weigh


@pytest.mark.parametrize(
    ("wanted", "ready", "usage", "then", "why"),
    [
        (10, 1, 0.69, 15, "1 jobs wait"),
        (10, 0, 0.0, 10, ""),
        (10, 5, 0.7, 10, "the machine is busy: 70%"),
        (10, 5, 0.9, 10, "the machine is busy: 90%"),
        (10, 5, 0.91, 8, "the machine is busy: 91%"),
        (10, 0, 1.0, 8, "the machine is busy: 100%"),
        (2, 9, 0.0, 3, "9 jobs wait"),
        (38, 9, 0.0, 40, "9 jobs wait"),
        (40, 9, 0.0, 40, ""),
        (40, 9, 0.8, 40, ""),
        (3, 9, 1.0, 2, "the machine is busy: 100%"),
        (2, 9, 1.0, 2, "the machine is busy: 100%"),
        (2, 0, 1.0, 2, ""),
    ],
)
def test_it_grows_by_half_with_room_and_shrinks_by_a_fifth_under_load(
    wanted: int, ready: int, usage: float, then: int, why: str
) -> None:
    assert weigh(wanted, 2, 40, ready=ready, usage=usage) == (then, why)
