"""API: higher priorities first, and first in first out within one."""

import random
import threading

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot
from yao_tasks.core.queue import STALE_TOKENS
from yao_tasks.pools import Pool


class Line:
    """A pool of one worker that is busy until `run` is called; notes in which order jobs run."""

    def __init__(self, site: Site, task: MakeTask) -> None:
        self.gate = site.gate()
        self.order: list[str] = []
        self.pool = task(self._work, worker_nums=1, size=10_000, attempts=1, attempt_after=50)
        self.pool.add()
        self.gate.entered()

    def add(self, name: str, priority: int | None = None) -> int:
        pool = self.pool
        return pool.add(name) if priority is None else pool.using(priority=priority).add(name)

    def run(self) -> list[str]:
        self.gate.open()
        until(lambda: not self.pool.jobs, "all to run")
        return self.order

    def _work(self, job_id: int, name: str = "") -> None:
        if not name:
            self.gate(job_id)
        else:
            self.order.append(name)


@pytest.fixture
def line(site: Site, task: MakeTask) -> Line:
    return Line(site, task)


def test_higher_ones_run_first(line: Line) -> None:
    for priority in (0, -100, 100, 1, -1):
        line.add(str(priority), priority)

    assert line.run() == ["100", "1", "0", "-1", "-100"]


def test_without_priorities_it_is_first_in_first_out(line: Line) -> None:
    for number in range(50):
        line.add(str(number))

    assert line.run() == [str(number) for number in range(50)]


def test_jobs_without_a_priority_have_0(line: Line) -> None:
    line.add("low", -1)
    line.add("plain")
    line.add("zero", 0)
    line.add("plain too")
    line.add("high", 1)

    assert line.run() == ["high", "plain", "zero", "plain too", "low"]


def test_the_first_priority_that_comes_leaves_those_before_it_in_their_order(line: Line) -> None:
    for number in range(5):
        line.add(f"before {number}")
    line.add("high", 5)
    for number in range(5):
        line.add(f"after {number}")

    assert line.run() == [
        "high",
        *(f"before {number}" for number in range(5)),
        *(f"after {number}" for number in range(5)),
    ]


def test_any_mixture_runs_by_priority_and_in_the_order_of_its_adds(line: Line) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    given = [(f"{number}", chance.choice([None, -5, 0, 5])) for number in range(200)]
    for name, priority in given:
        line.add(name, priority)

    assert line.run() == [name for name, _ in sorted(given, key=lambda one: -(one[1] or 0))]


def test_a_cancelled_one_is_passed_over(line: Line) -> None:
    line.add("low", -1)
    cancelled = line.add("cancelled", 9)
    line.add("plain")

    line.pool.cancel(cancelled)

    assert line.run() == ["plain", "low"]


def test_a_higher_one_that_becomes_due_later_overtakes(line: Line) -> None:
    line.add("plain")
    line.pool.using(priority=1, run_after=0.01).add("high")
    until(lambda: not line.pool.metrics()["delayed"], "it to be due")

    assert line.run() == ["high", "plain"]


def test_a_paused_pool_starts_the_highest_when_it_is_resumed(task: MakeTask) -> None:
    order: list[str] = []
    pool = task(lambda job_id, name: order.append(name), worker_nums=1)
    pool.wait(pool.add("first"), SECONDS)
    pool.pause()
    pool.add("plain")
    # Long enough for the worker to look at it.
    threading.Event().wait(0.05)
    pool.using(priority=5).add("high")

    pool.resume()

    until(lambda: not pool.jobs, "both to run")
    assert order == ["first", "high", "plain"]


def test_each_of_many_jobs_of_all_priorities_runs_once(task: MakeTask) -> None:
    ran: list[int] = []
    pool = task(ran.append, worker_nums=4, size=10_000)
    ids: list[int] = []

    def add(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(300):
            priority = chance.choice([None, None, -1, 0, 1])
            adder: Pool = pool if priority is None else pool.using(priority=priority)  # type: ignore[assignment]
            ids.append(adder.add())

    threads = [threading.Thread(target=add, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: not pool.jobs, "all to run")

    assert sorted(ran) == sorted(ids)
    assert len(ids) == 1200


def test_a_retry_keeps_its_priority(site: Site, task: MakeTask) -> None:
    gate, order = site.gate(), []

    def handler(job_id: int, name: str) -> None:
        order.append(name)
        if name == "gate":
            gate(job_id)
        if order.count("high") == 1 and name == "high":
            raise ValueError

    pool = task(handler, worker_nums=1, attempts=1, attempt_after=20)
    high = pool.using(priority=5).add("high")
    until(lambda: pool.get(high).due_at, "its failure")
    pool.add("gate")
    gate.entered()
    pool.add("plain")
    until(lambda: not pool.metrics()["delayed"], "it to be due")

    gate.open()

    until(lambda: not pool.jobs, "all to run")
    assert order == ["high", "gate", "high", "plain"]


@pytest.mark.django_db(transaction=True)
def test_jobs_of_a_transaction_run_by_priority_after_the_commit(line: Line) -> None:
    with transaction.atomic():
        line.add("plain")
        line.add("high", 5)

    assert line.run() == ["high", "plain"]


def test_cancelled_ones_are_not_kept_however_long_the_workers_are_busy(line: Line) -> None:
    pool = line.pool
    stays = line.add("stays", 1)
    for _ in range(500):
        pool.cancel(line.add("cancelled", 5))
    line.add("last", 9)

    tokens = boot.engine(pool.id).workers.tokens  # type: ignore[attr-defined]
    assert len(tokens._heap) <= 2 * STALE_TOKENS
    assert tokens.queue.qsize() <= 2 * STALE_TOKENS
    assert line.run() == ["last", "stays"]
    assert pool.get(stays).status == "SUCCESS"
