"""API: jobs as they end."""

import threading
import time
from typing import Any

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot
from yao_tasks.errors import JobNotFound
from yao_tasks.pools import Pool


class Doors:
    """A handler that lets each job go by its name."""

    def __init__(self, *names: str) -> None:
        self.doors = {name: threading.Event() for name in names}

    def __call__(self, job_id: int, name: str) -> str:
        assert self.doors[name].wait(SECONDS)
        if name.startswith("bad"):
            raise ValueError(name)
        return name

    def open(self, *names: str) -> None:
        for name in names or self.doors:
            self.doors[name].set()


def test_they_come_in_the_order_in_which_they_end(task: MakeTask) -> None:
    doors = Doors("a", "bad b", "c")
    pool = task(doors, worker_nums=3)
    ids = pool.add_many([("a",), ("bad b",), ("c",)])
    got: list[Any] = []
    doors.open("c")

    for info in pool.as_completed(ids, SECONDS):
        got.append((info.id, info.status, info.response))
        doors.open(["bad b", "a", "a"][len(got) - 1])

    assert got == [(ids[2], "SUCCESS", "c"), (ids[1], "FAILURE", "bad b"), (ids[0], "SUCCESS", "a")]


def test_those_that_have_ended_come_at_once(task: MakeTask) -> None:
    pool = task(lambda job_id, name: name)
    ids = pool.add_many([("a",), ("b",)])
    until(lambda: not pool.jobs, "both to end")

    assert {info.response for info in pool.as_completed(ids, 0)} == {"a", "b"}


def test_those_that_have_ended_come_first_in_the_order_in_which_they_did(task: MakeTask) -> None:
    pool = task(lambda job_id: None, worker_nums=1)
    ids = [pool.add() for _ in range(20)]
    for job_id in ids:
        pool.wait(job_id, SECONDS)

    assert [info.id for info in pool.as_completed(ids[::-1], 0)] == ids


def test_each_comes_once_and_zeros_are_passed_over(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, size=1)
    ids = pool.add_many([()] * 4, partial=True)
    assert ids[2:] == [0, 0]
    gate.open()

    got = [info.id for info in pool.as_completed([*ids, *ids], SECONDS)]

    assert sorted(got) == sorted(ids[:2])


def test_none_are_none(task: MakeTask) -> None:
    pool = task(lambda job_id: None)

    assert list(pool.as_completed([])) == []
    assert list(pool.as_completed([0, 0], 0)) == []


def test_an_unknown_id_is_told_at_once(task: MakeTask) -> None:
    pool = task(lambda job_id: None)

    with pytest.raises(JobNotFound):
        pool.as_completed([pool.add(), 12])


def test_it_gives_up_after_its_timeout_and_says_how_many_are_left(task: MakeTask) -> None:
    doors = Doors("a", "b", "c")
    pool = task(doors, worker_nums=3)
    ids = pool.add_many([("a",), ("b",), ("c",)])
    doors.open("a")
    pool.wait(ids[0], SECONDS)
    got = []
    began = time.monotonic()

    with pytest.raises(TimeoutError) as error:
        for info in pool.as_completed(ids, 0.2):
            got.append(info.response)

    assert (got, str(error.value)) == (["a"], "2 of 3 jobs have not ended within 0.2 s.")
    assert 0.2 <= time.monotonic() - began < 1
    doors.open()
    assert len(list(pool.as_completed(ids, SECONDS))) == 3


def test_who_stops_in_the_middle_leaves_nobody_waiting(task: MakeTask) -> None:
    doors = Doors("a", "b")
    pool = task(doors)
    ids = pool.add_many([("a",), ("b",)])
    doors.open("a")

    for info in pool.as_completed(ids, SECONDS):
        assert info.response == "a"
        break

    engine: Any = boot.engine(pool.id)
    assert not engine.find(ids[1]).waiters
    doors.open("b")
    assert pool.wait(ids[1], SECONDS).response == "b"


def test_jobs_that_are_cancelled_time_out_or_are_lost_come_too(site: Site, task: MakeTask, kind: str) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=3, retention=0)
    # Not before all run: the others' processes have to start first.
    times_out = pool.using(timeout=2 if kind.endswith("process") else 0.1).add()
    cancelled, lost = pool.add(), pool.add()
    gate.entered(3)
    kinds: list[str | None] = []

    for info in pool.as_completed([lost, cancelled, times_out], SECONDS):
        kinds.append(info.error and info.error.kind)
        if len(kinds) == 1:
            pool.cancel(cancelled)
        elif len(kinds) == 2:
            pool.close(0)

    assert kinds == ["timeout", "cancelled", "lost"]


def test_a_job_that_is_retried_comes_at_its_last_end(task: MakeTask) -> None:
    def handler(job_id: int) -> int:
        runs.append(job_id)
        if len(runs) < 3:
            raise ValueError
        return len(runs)

    runs: list[int] = []
    pool = task(handler, attempts=2, attempt_after=10)

    assert [info.response for info in pool.as_completed([pool.add()], SECONDS)] == [3]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_rolled_back_meanwhile_is_not_waited_for(task: MakeTask) -> None:
    pool: Pool = task(lambda job_id: None)
    got: list[str] = []
    ids: list[int] = []

    def look() -> None:
        try:
            got.extend(info.status for info in pool.as_completed(ids, 0.3))
        except JobNotFound:
            got.append("never was")
        except TimeoutError:
            got.append("timed out")

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ids.append(pool.add())
        looker = threading.Thread(target=look)
        looker.start()
        looker.join(0.1)
        raise ZeroDivisionError

    looker.join(SECONDS)
    assert got == ["never was"]
