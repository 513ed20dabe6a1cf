"""Ten deaths in ten thousand jobs, at random moments; with one process at work, and with four."""

import random
import time

import pytest

from tests.conftest import until
from tests.durable.conftest import Rows, all_ended
from tests.durable.processes import Plant
from yao_tasks import boot
from yao_tasks.pools import tasks

JOBS, DEATHS, WORKERS = 10_000, 10, 10
pytestmark = pytest.mark.soak


@pytest.mark.parametrize("processes", [1, 4])
def test_ten_deaths_in_ten_thousand_jobs_lose_none(plant: Plant, rows: Rows, processes: int) -> None:
    seed = time.time_ns() % 10**9
    print("seed", seed)
    chance = random.Random(seed)
    plant.define("job", worker_nums=WORKERS, attempts=1)
    boot.reset()
    workers = [plant.start() for _ in range(processes)]
    ids: list[int] = []
    for _ in range(10):
        ids += tasks["job"].add_many([(chance.choice([0.0] * 9 + [0.02]),) for _ in range(JOBS // 10)])
    for death in range(DEATHS):
        wanted = (death + 1) * JOBS // (DEATHS + 1)
        until(lambda: len(plant.runs()) >= wanted + chance.randrange(-300, 300), "runs", seconds=120)  # noqa: B023
        victim = chance.choice(workers)
        plant.kill(victim)
        workers[workers.index(victim)] = plant.start()

    all_ended(rows, seconds=180)

    runs = plant.runs()
    assert sorted(runs) == sorted(ids), f"seed {seed}"
    assert rows.all().filter(status=3).count() == JOBS, f"seed {seed}"
    repeated = sum(count - 1 for count in runs.values())
    assert repeated <= DEATHS * (WORKERS + 50), f"seed {seed}"
    assert max(runs.values()) <= 1 + 1 + 2, f"seed {seed}"
    print(f"{repeated} runs were repeated by {DEATHS} deaths")
