"""API: what `add` does when the queue is full: it refuses at once, or waits for a place, and then refuses."""

import threading
import time

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Gate, Site, until
from yao_tasks import boot
from yao_tasks.errors import DuplicateJob, PoolClosed, QueueFull
from yao_tasks.pools import Pool


class Full:
    """A pool of one worker and one place, both taken. `take` frees the place, as a worker would."""

    def __init__(self, site: Site, task: MakeTask, *, overflow_wait: float) -> None:
        self.gate: Gate = site.gate()
        self.pool = task(
            self.gate, worker_nums=1, size=1, overflow="wait", overflow_wait=overflow_wait, unique=True
        )
        self.running = self.pool.add("running")
        self.gate.entered()
        self.waiting = self.pool.add("waiting")

    def add_in_thread(self, name: str, into: list[str]) -> threading.Thread:
        def add() -> None:
            try:
                self.pool.add(name)
                into.append(name)
            except (QueueFull, PoolClosed) as error:
                into.append(type(error).__name__)

        thread = threading.Thread(target=add)
        thread.start()
        return thread


@pytest.fixture
def full(site: Site, task: MakeTask) -> Full:
    return Full(site, task, overflow_wait=SECONDS)


def waiting(pool: Pool, count: int) -> None:
    """Wait until so many wait for a place."""
    until(lambda: len(boot.engine(pool.id).places.waiting) == count, f"{count} to wait")  # type: ignore[attr-defined]


def test_reject_is_the_default_and_refuses_at_once(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, size=1)
    pool.add(), pool.add()
    began = time.monotonic()

    with pytest.raises(QueueFull):
        pool.add()

    assert time.monotonic() - began < 0.5
    assert (pool.config.overflow, pool.config.overflow_wait) == ("reject", 5)


def test_wait_gets_the_place_that_a_start_frees(full: Full) -> None:
    added: list[str] = []
    thread = full.add_in_thread("late", added)
    waiting(full.pool, 1)
    assert added == []

    full.gate.open()

    thread.join(SECONDS)
    assert added == ["late"]
    until(lambda: not full.pool.jobs, "all to run")
    assert (full.pool.metrics()["succeeded"], full.pool.metrics()["refused"]) == (3, 0)


@pytest.mark.parametrize("how", ["cancel", "purge", "resize"])
def test_wait_gets_the_place_that_comes_free_in_any_other_way(full: Full, how: str) -> None:
    added: list[str] = []
    thread = full.add_in_thread("late", added)
    waiting(full.pool, 1)
    began = time.monotonic()

    if how == "cancel":
        full.pool.cancel(full.waiting)
    elif how == "purge":
        full.pool.purge()
    else:
        full.pool.resize(2)

    thread.join(SECONDS)
    assert added == ["late"]
    assert time.monotonic() - began < 1


def test_wait_refuses_after_overflow_wait(site: Site, task: MakeTask) -> None:
    full = Full(site, task, overflow_wait=0.2)
    began = time.monotonic()

    with pytest.raises(QueueFull, match='"job" has 1 jobs waiting'):
        full.pool.add("late")

    assert 0.2 <= time.monotonic() - began < 1
    assert full.pool.metrics()["refused"] == 1
    assert set(full.pool.jobs) == {full.running, full.waiting}


def test_overflow_wait_0_refuses_at_once(site: Site, task: MakeTask) -> None:
    full = Full(site, task, overflow_wait=0)
    began = time.monotonic()

    with pytest.raises(QueueFull):
        full.pool.add("late")

    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("how", ["start", "resize"])
def test_who_waits_longest_is_first(full: Full, how: str) -> None:
    added: list[str] = []
    names = [f"{number}" for number in range(6)]
    threads = []
    for place, name in enumerate(names):
        threads.append(full.add_in_thread(name, added))
        waiting(full.pool, place + 1)

    for place in range(len(names)):
        if how == "start":
            full.pool.cancel(next(job for job in full.pool.jobs if full.pool.get(job).status == "WAITING"))
        else:
            full.pool.resize(place + 2)
        until(lambda place=place: len(added) == place + 1, "a place to be taken")

    for thread in threads:
        thread.join(SECONDS)
    assert added == names


def test_who_comes_later_does_not_take_the_place_of_those_who_wait(full: Full) -> None:
    added: list[str] = []
    first = full.add_in_thread("first", added)
    waiting(full.pool, 1)
    timer = threading.Timer(0.2, full.gate.open)
    timer.start()

    # Whoever waits is woken now; this thread is there before it is awake.
    full.pool.cancel(full.waiting)
    full.pool.add("second")

    assert added == ["first"]
    first.join(SECONDS)
    timer.join()


def test_a_duplicate_is_refused_without_waiting(full: Full) -> None:
    began = time.monotonic()

    with pytest.raises(DuplicateJob):
        full.pool.add("waiting")

    assert time.monotonic() - began < 1


def test_a_close_ends_the_wait(full: Full) -> None:
    added: list[str] = []
    thread = full.add_in_thread("late", added)
    waiting(full.pool, 1)

    full.pool.close(0)

    thread.join(SECONDS)
    assert added == ["PoolClosed"]


@pytest.mark.django_db(transaction=True)
def test_wait_is_reject_inside_a_transaction_which_goes_on(full: Full) -> None:
    began = time.monotonic()

    with transaction.atomic():
        with pytest.raises(QueueFull):
            full.pool.add("late")
        with pytest.raises(QueueFull):
            full.pool.add_many([("late",)])
        full.pool.cancel(full.waiting)
        job_id = full.pool.add("instead")

    assert time.monotonic() - began < 2
    assert full.pool.get(job_id).status == "WAITING"


@pytest.mark.django_db(transaction=True)
def test_wait_waits_inside_a_transaction_that_the_add_does_not_belong_to(full: Full) -> None:
    timer = threading.Timer(0.1, full.gate.open)
    timer.start()

    with transaction.atomic():
        job_id = full.pool.using(on_commit=False).add("late")

        assert full.pool.wait(job_id, SECONDS).status == "SUCCESS"
    timer.join()


def test_many_wait_for_places_for_them_all(full: Full) -> None:
    full.gate.open()

    ids = full.pool.add_many([("one",), ("two",)])

    assert [full.pool.wait(job_id, SECONDS).response for job_id in ids] == ["one", "two"]


def test_what_is_waited_for_in_vain_leaves_nobody_in_the_line(site: Site, task: MakeTask) -> None:
    full = Full(site, task, overflow_wait=0.1)
    with pytest.raises(QueueFull):
        full.pool.add("one")

    waiting(full.pool, 0)
    full.gate.open()
    assert full.pool.wait(full.pool.add("two"), SECONDS).response == "two"
