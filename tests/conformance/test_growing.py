"""API: `worker_max`. A pool grows while work is queued and the machine has room, and shrinks again."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot
from yao_tasks.core import growth
from yao_tasks.pools import Pool


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pool, bool], None]:
    """Say whether the machine has room; the looks at it come often."""
    monkeypatch.setattr(growth, "STEP", 0.02)
    monkeypatch.setattr(growth, "IDLE", 0.1)

    def set_room(pool: Pool, has_room: bool) -> None:
        engine: Any = boot.engine(pool.id)
        engine.workers.growth.usage = lambda: 0.5 if has_room else 0.95

    return set_room


Room = Callable[[Pool, bool], None]


def test_it_grows_to_its_most_and_not_beyond(site: Site, task: MakeTask, room: Room) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, worker_max=4)
    room(pool, True)

    for _ in range(10):
        pool.add()

    gate.entered(4)
    until(lambda: pool.metrics()["worker_nums"] == 4, "it to grow")
    assert (pool.metrics()["running"], pool.metrics()["workers"]) == (4, 4)
    assert pool.metrics()["resized"].endswith("jobs wait")
    gate.open()
    until(lambda: not pool.jobs, "all to run")


def test_it_shrinks_to_where_it_began_after_a_while_of_idleness(
    site: Site, task: MakeTask, room: Room
) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, worker_max=4)
    room(pool, True)
    for _ in range(6):
        pool.add()
    gate.entered(4)

    gate.open()

    until(lambda: pool.metrics()["worker_nums"] == pool.metrics()["workers"] == 1, "it to shrink")
    assert pool.metrics()["resized"] == "idle for 0.1 s"
    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"


def test_it_grows_again(site: Site, task: MakeTask, room: Room) -> None:
    for _ in range(2):
        gate = site.gate()
        pool = task(gate, worker_nums=1, worker_max=2)
        room(pool, True)
        pool.add_many([()] * 4)
        gate.entered(2)
        gate.open()
        until(lambda pool=pool: pool.metrics()["worker_nums"] == 1 and not pool.jobs, "it to shrink")


def test_it_does_not_grow_while_the_machine_is_busy(site: Site, task: MakeTask, room: Room) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, worker_max=4)
    room(pool, False)
    pool.add_many([()] * 4)
    gate.entered()

    until(lambda: pool.metrics()["resized"] == "the machine is busy: 95%", "it to look")

    assert pool.metrics()["worker_nums"] == 1
    room(pool, True)
    gate.entered(3)


@pytest.mark.slow
def test_it_shrinks_under_load(site: Site, task: MakeTask, room: Room) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, worker_max=4)
    room(pool, True)
    pool.add_many([()] * 20)
    gate.entered(4)

    room(pool, False)

    end = growth.STEP * 20
    shrunk: list[int] = []
    with pytest.raises(TimeoutError):
        pool.wait(next(iter(pool.jobs)), end)
    shrunk.append(pool.metrics()["worker_nums"])
    gate.open()
    assert shrunk[0] < 4


def test_it_shrinks_under_load_while_its_jobs_run_and_none_waits(
    site: Site, task: MakeTask, room: Room
) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, worker_max=4)
    room(pool, True)
    pool.add_many([()] * 4)
    gate.entered(4)
    until(lambda: pool.metrics()["worker_nums"] == 4, "it to grow")

    room(pool, False)

    until(lambda: pool.metrics()["worker_nums"] == 1, "it to shrink")
    assert pool.metrics()["resized"] == "the machine is busy: 95%"


def test_it_does_not_grow_while_there_is_a_free_worker_or_a_pause(
    site: Site, task: MakeTask, room: Room
) -> None:
    pool = task(lambda job_id: None, worker_nums=2, worker_max=4)
    room(pool, True)
    for _ in range(20):
        pool.wait(pool.add(), SECONDS)
    assert pool.metrics()["worker_nums"] == 2
    pool.pause()
    pool.add_many([()] * 20)

    with pytest.raises(TimeoutError):
        pool.wait(next(iter(pool.jobs)), 0.1)

    assert pool.metrics()["worker_nums"] == 2
    pool.resume()
    until(lambda: not pool.jobs, "all to run")


def test_what_is_grown_has_places_of_its_own(site: Site, task: MakeTask, room: Room) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, worker_max=3, size=2)
    room(pool, True)
    pool.add_many([()] * 3)
    gate.entered(3)

    assert len(pool.add_many([()] * 2)) == 2


def test_a_pool_without_worker_max_never_grows(site: Site, task: MakeTask, room: Room) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    pool.add_many([()] * 5)
    gate.entered()

    with pytest.raises(TimeoutError):
        pool.wait(next(iter(pool.jobs)), 0.1)

    assert pool.metrics()["worker_nums"] == pool.metrics()["workers"] == 1
