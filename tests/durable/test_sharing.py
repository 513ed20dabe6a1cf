"""Several processes share the rows."""

import signal
import time

import pytest

from tests.conftest import until
from tests.durable.conftest import Rows, all_ended
from tests.durable.processes import Plant
from yao_tasks import boot
from yao_tasks.models import JobOwner
from yao_tasks.pools import tasks

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("machines", [1, 3])
def test_each_job_runs_once_where_nobody_dies(plant: Plant, rows: Rows, machines: int) -> None:
    """L5, L6."""
    plant.define("job", worker_nums=10)
    boot.reset()
    workers = []
    for number in range(3):
        own = {} if machines == 1 else {"SITE_MACHINE": f"m{number}", "SITE_STATE": f"state{number}"}
        workers.append(plant.start(**own))
    for worker in workers:
        plant.working(worker)
    ids = []
    for _ in range(10):
        ids += tasks["job"].add_many([()] * 1_000)

    all_ended(rows, seconds=120)

    assert plant.runs() == dict.fromkeys(ids, 1)
    assert rows.all().filter(status=3, attempt=1).count() == 10_000
    assert len({pid for _, _, pid, _ in plant.ledger()}) > 1
    for worker in workers:
        assert "locked" not in plant.said(worker)


def test_a_job_is_started_at_once_by_another_process_of_the_machine(plant: Plant, rows: Rows) -> None:
    plant.define("job")
    boot.reset()
    # Every look but a word's is too late for this test.
    text = (plant.folder / "tasks" / "job.json").read_text()
    assert text
    worker = plant.start()
    plant.working(worker)
    waits = []
    for _ in range(10):
        time.sleep(0.05)
        began = time.monotonic_ns()
        job_id = tasks["job"].add()
        until(lambda: job_id in plant.runs(), "the run")  # noqa: B023
        waits.append(next(at for job, _, _, at in plant.ledger() if job == job_id) - began)

    # A look every 0.5 s would have it wait for 0.25 s in the middle.
    assert sorted(waits)[len(waits) // 2] / 1e9 < 0.1


def test_a_process_whose_lease_is_over_is_no_owner_any_more(plant: Plant, rows: Rows) -> None:
    """F13."""
    plant.define("job", timeout=300)
    boot.reset()
    job_id = tasks["job"].add(3)
    first = plant.start(SITE_MACHINE="m1", SITE_STATE="state1")
    until(lambda: plant.ledger(), "the run", seconds=60)
    first.send_signal(signal.SIGSTOP)
    # Half a minute is not waited for: the lease ends now.
    JobOwner.objects.using(rows.database).filter(pid=first.pid).update(lease_until="2026-01-01T00:00:00Z")

    second = plant.start(SITE_MACHINE="m2", SITE_STATE="state2")
    until(lambda: len(plant.ledger()) == 2, "the second run", seconds=30)
    first.send_signal(signal.SIGCONT)
    all_ended(rows)

    row = rows.of(job_id)
    assert row is not None
    assert (row.status, row.attempt, row.crashes) == (3, 2, 1)
    assert row.owner is not None
    assert row.owner.pid == second.pid
    until(lambda: "is refused" in plant.said(first) and str(job_id) in plant.said(first), "the refusal")


def test_a_cancel_stops_what_another_process_runs(plant: Plant, rows: Rows) -> None:
    plant.define("job", worker_nums=1)
    boot.reset()
    running, waiting = tasks["job"].add(30), tasks["job"].add()
    worker = plant.start()
    until(lambda: plant.ledger(), "the run", seconds=60)

    assert tasks["job"].cancel(running)

    # The worker's thread is let go, and the next job runs.
    rows.until(waiting, status=3)
    assert tasks["job"].get(running).error.kind == "cancelled"  # type: ignore[union-attr]
    assert worker.poll() is None


def test_a_pause_is_obeyed_by_each_process(plant: Plant, rows: Rows) -> None:
    plant.define("job")
    boot.reset()
    worker = plant.start()
    plant.working(worker)
    tasks["job"].pause()
    time.sleep(1.5)

    tasks["job"].add()
    time.sleep(1)
    assert plant.ledger() == []
    tasks["job"].resume()

    all_ended(rows, seconds=10)
