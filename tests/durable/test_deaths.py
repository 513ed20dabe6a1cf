"""Processes that run durable jobs are killed."""

import random
import time

import pytest

from tests.conftest import until
from tests.durable.conftest import Rows, all_ended
from tests.durable.processes import Plant
from yao_tasks import boot
from yao_tasks.models import JobOwner
from yao_tasks.pools import tasks

pytestmark = pytest.mark.slow


def test_nothing_is_lost_where_the_process_is_killed(plant: Plant, rows: Rows) -> None:
    """F1."""
    seed = time.time_ns() % 10**6
    chance = random.Random(seed)
    plant.define("job", worker_nums=20, attempts=1)
    boot.reset()
    tasks["job"].add_many([(chance.choice([0.0, 0.0, 0.01]),) for _ in range(2_000)])
    worker = plant.start()
    plant.working(worker)
    until(lambda: len(plant.ledger()) > chance.randrange(100, 1_500), "some runs")

    plant.kill(worker)
    before, running = plant.runs(), rows.all().filter(status=2).count()
    killed_at = time.monotonic_ns()
    plant.working(plant.start())
    all_ended(rows)

    runs = plant.runs()
    assert rows.all().filter(status=3).count() == 2_000, f"seed {seed}"
    assert len(runs) == 2_000, f"seed {seed}"
    assert max(runs.values()) <= 1 + 2, f"seed {seed}"
    repeated = [job for job, count in runs.items() if count > 1]
    assert len(repeated) <= 20 + 50, f"seed {seed}"
    assert set(repeated) <= set(before)
    assert running <= 20 + 50
    again = [at for job, _, _, at in plant.ledger() if job in repeated and at > killed_at]
    assert not again or (min(again) - killed_at) / 1e9 < 10


def test_a_death_between_the_claim_and_the_start_costs_no_attempt(plant: Plant, rows: Rows) -> None:
    """F3."""
    plant.define("job")
    boot.reset()
    job_id = tasks["job"].add()
    worker = plant.start(SITE_FAILPOINT="after_claim")
    worker.wait(60)
    assert worker.returncode == -9, plant.said(worker)
    assert plant.runs() == {}

    plant.start()
    all_ended(rows)

    row = rows.of(job_id)
    assert row is not None
    assert (row.status, row.attempt, row.crashes) == (3, 2, 1)
    assert plant.runs() == {job_id: 1}


def test_a_death_before_the_end_is_committed_repeats_the_run_and_tells_one_end(
    plant: Plant, rows: Rows
) -> None:
    """F4."""
    plant.define("job", event={"success": "tests.durable.handlers.succeeded"})
    boot.reset()
    job_id = tasks["job"].add()
    worker = plant.start(SITE_FAILPOINT="before_result")
    worker.wait(60)

    plant.start()
    all_ended(rows)

    assert plant.runs() == {job_id: 2}
    assert rows.all().get().status == 3
    until(lambda: len(plant.ledger("success")) == 1, "event.success")


def test_a_death_between_the_commit_and_the_word_is_found_by_others(plant: Plant, rows: Rows) -> None:
    """F5."""
    plant.define("job")
    adder = plant.start("tasks", "add", "job", SITE_FAILPOINT="on_commit")
    adder.wait(60)
    assert adder.returncode == -9
    assert rows.all().count() == 1

    worker = plant.start()
    plant.working(worker)
    all_ended(rows, seconds=6)

    assert sum(plant.runs().values()) == 1


def test_a_job_that_kills_its_process_is_given_up_and_harms_no_other(plant: Plant, rows: Rows) -> None:
    """F8."""
    plant.define("good", worker_nums=10, attempts=1)
    plant.define("poison", "poison", attempts=1)
    boot.reset()
    good = tasks["good"].add_many([(0.01,)] * 100)
    poison = tasks["poison"].add()

    starts = 0
    while rows.all().filter(status__in=(1, 2)).exists():
        starts += 1
        assert starts <= 4, "runtasks was started too often"
        worker = plant.start()
        until(
            lambda: worker.poll() is not None or not rows.all().filter(status__in=(1, 2)).exists(),  # noqa: B023
            "a death, or the end",
            seconds=60,
        )

    row = rows.of(poison)
    assert row is not None
    assert (row.status, row.kind, row.crashes) == (4, "lost", 3)
    assert plant.runs()[poison] == 3
    assert rows.all().filter(job_id__in=good, status=3).count() == 100


def test_an_owner_that_is_dead_is_told_so(plant: Plant, rows: Rows) -> None:
    plant.define("job")
    boot.reset()
    tasks["job"].add(30)
    worker = plant.start()
    until(lambda: plant.ledger(), "the run", seconds=60)
    plant.kill(worker)

    plant.start()

    until(
        lambda: JobOwner.objects.using(rows.database).filter(pid=worker.pid, ended_at__isnull=False),
        "its row",
    )
    until(lambda: len(plant.ledger()) == 2, "the second run", seconds=20)
