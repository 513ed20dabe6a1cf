"""`runtasks` is told to leave while it runs durable jobs."""

import os
import signal
import time

import pytest

from tests.conftest import until
from tests.durable.conftest import Rows, all_ended
from tests.durable.processes import Plant
from yao_tasks import boot
from yao_tasks.pools import tasks

pytestmark = pytest.mark.slow


def test_what_runs_ends_and_what_waits_stays(plant: Plant, rows: Rows) -> None:
    """D1."""
    plant.define("job", worker_nums=20)
    boot.reset()
    tasks["job"].add_many([(1.0,)] * 1_020)
    worker = plant.start("runtasks", "--drain-timeout", "5")
    until(lambda: len(plant.ledger()) >= 20, "20 runs", seconds=60)

    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    worker.wait(10)

    assert time.monotonic() - began < 3
    assert worker.returncode == 0, plant.said(worker)
    ran = len(plant.ledger())
    assert rows.all().filter(status=3).count() == ran
    assert rows.all().filter(status=1, attempt=0, token=None).count() == 1_020 - ran


def test_a_long_run_is_told_and_waits_again(plant: Plant, rows: Rows) -> None:
    """D2."""
    plant.define("job", timeout=120)
    boot.reset()
    job_id = tasks["job"].add(60)
    worker = plant.start("runtasks", "--drain-timeout", "3")
    until(lambda: plant.ledger(), "the run", seconds=60)

    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    until(lambda: plant.ledger("stopping"), "job.stopping")
    told = time.monotonic() - began
    worker.wait(10)

    assert told < 1
    assert time.monotonic() - began < 5
    assert worker.returncode == 1
    assert str(job_id) in plant.said(worker)
    row = rows.of(job_id)
    assert row is not None
    # No attempt was spent: `base` runs don't count.
    assert (row.status, row.attempt, row.base, row.token) == (1, 1, 1, None)


@pytest.mark.parametrize(
    ("signals", "seconds", "code"),
    [
        ([signal.SIGTERM, signal.SIGTERM], 2.5, 1),
        ([signal.SIGINT, signal.SIGINT, signal.SIGINT], 2, 130),
        ([signal.SIGTERM, signal.SIGQUIT], 2, 130),
    ],
    ids=["twice", "three times", "quit"],
)
def test_who_insists_is_obeyed_and_the_job_runs_again(
    plant: Plant, rows: Rows, signals: list[signal.Signals], seconds: float, code: int
) -> None:
    """D3."""
    plant.define("job", timeout=120)
    boot.reset()
    job_id = tasks["job"].add(2)
    worker = plant.start()
    until(lambda: plant.ledger(), "the run", seconds=60)

    began = time.monotonic()
    for number in signals:
        worker.send_signal(number)
        # Two that come while nobody looks are one.
        time.sleep(0.3)
    worker.wait(10)

    assert time.monotonic() - began < seconds
    assert worker.returncode == code
    assert "Traceback" not in plant.said(worker)
    plant.start()
    all_ended(rows)
    assert plant.attempts() == {job_id: [1, 2]}


def test_a_stopped_process_is_alive_and_a_hang_up_drains(plant: Plant, rows: Rows) -> None:
    """D10."""
    plant.define("job", worker_nums=2)
    boot.reset()
    tasks["job"].add_many([(0.5,)] * 20)
    worker, other = plant.start(), plant.start()
    until(lambda: len({pid for _, _, pid, _ in plant.ledger()}) == 2, "both to run", seconds=60)

    worker.send_signal(signal.SIGSTOP)
    time.sleep(5)
    worker.send_signal(signal.SIGCONT)
    all_ended(rows)

    assert set(plant.runs().values()) == {1}
    worker.send_signal(signal.SIGHUP)
    other.send_signal(signal.SIGHUP)
    assert (worker.wait(10), other.wait(10)) == (0, 0)


def test_nobody_who_reads_what_it_says_is_needed(plant: Plant, rows: Rows) -> None:
    """D10: EPIPE."""
    plant.define("job")
    boot.reset()
    reading, writing = os.pipe()
    import subprocess
    import sys

    from tests.durable.processes import ROOT

    command = [sys.executable, "-m", "tests.durable.manage", "runtasks"]
    worker = subprocess.Popen(
        command, cwd=ROOT, env=plant.environ(), stdout=writing, stderr=subprocess.DEVNULL
    )
    os.close(writing)
    os.close(reading)
    try:
        tasks["job"].add_many([()] * 20)
        all_ended(rows)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    finally:
        worker.kill()
        worker.wait()
    assert rows.all().filter(status=3).count() == 20
