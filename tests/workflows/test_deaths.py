"""Processes are killed in the middle of durable workflows."""

import random
import time
from collections import defaultdict

import pytest

from tests.conftest import until
from tests.durable.conftest import Rows, all_ended, journal, plant, rows
from tests.durable.processes import Plant
from yao_tasks import boot
from yao_tasks.models import JobStatus, WorkflowRecord
from yao_tasks.pools import tasks
from yao_tasks.workflows import PREVIOUS, chain, group

__all__ = ["journal", "plant", "rows"]


@pytest.mark.slow
def test_a_chain_goes_on_where_a_process_died(plant: Plant, rows: Rows, journal: str) -> None:
    kill_in_the_middle(plant, rows, journal, chains=60, groups=5, deaths=1)


@pytest.mark.soak
def test_ten_deaths_in_two_thousand_chains_lose_no_step(plant: Plant, rows: Rows, journal: str) -> None:
    kill_in_the_middle(plant, rows, journal, chains=2_000, groups=100, deaths=10)


def kill_in_the_middle(
    plant: Plant, rows: Rows, journal: str, *, chains: int, groups: int, deaths: int
) -> None:
    seed = time.time_ns() % 10**9
    print("seed", seed)
    chance = random.Random(seed)
    for task in ("first", "second", "third", "member", "join"):
        plant.define(task, "step", attempts=3)
    boot.reset()
    worker = plant.start()
    steps = [tasks[task] for task in ("first", "second", "third")]
    for number in range(chains):
        chain(*(step.call(f"{task}{number}") for task, step in zip("abc", steps, strict=True)))
    for number in range(groups):
        group(
            *(tasks["member"].call(f"m{number}") for _ in range(5)),
            callback=tasks["join"].call(PREVIOUS, number),
        )
    runs = 3 * chains + 6 * groups
    for death in range(deaths):
        wanted = (death + 1) * runs // (deaths + 1)
        until(lambda: len(plant.steps()) >= wanted - chance.randrange(20), "runs", seconds=120)  # noqa: B023
        plant.kill(worker)
        worker = plant.start()

    running = WorkflowRecord.objects.using(journal).filter(state=JobStatus.RUNNING)
    until(lambda: not running.exists(), "all workflows to end", seconds=180)
    all_ended(rows)

    assert WorkflowRecord.objects.using(journal).filter(state=JobStatus.SUCCESS).count() == chains + groups
    order: dict[str, list[str]] = defaultdict(list)
    for name in plant.steps():
        order[name[1:]].append(name[0])
    for number in range(chains):
        # Each at least once, and none before the one before it.
        steps_of = [one for one in order[str(number)] if one in "abc"]
        firsts = [steps_of.index(one) for one in "abc"]
        assert firsts == sorted(firsts), f"seed {seed}, chain {number}: {steps_of}"
    assert rows.all().filter(task="join").count() == groups, f"seed {seed}"
    assert rows.all().count() == runs
