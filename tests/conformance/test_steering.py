"""API: steering a pool. Pause, resume, resize, purge, close."""

import threading
import time
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.errors import PoolClosed, QueueFull


def stays(question: Any) -> bool:
    """Whether it holds for a while: what would change it comes within milliseconds."""
    deadline = time.monotonic() + 0.1
    while time.monotonic() < deadline:
        if not question():
            return False
        time.sleep(0.005)
    return True


# pause, resume


def test_a_paused_pool_starts_nothing_and_still_takes_jobs(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(ran.append, event=notes.events("add"))
    pool.pause()

    ids = [pool.add() for _ in range(3)]

    assert stays(lambda: not ran)
    assert [pool.get(job_id).status for job_id in ids] == ["WAITING"] * 3
    assert (pool.metrics()["paused"], pool.metrics()["waiting"], len(notes.all)) == (True, 3, 3)
    pool.resume()
    for job_id in ids:
        assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    assert pool.metrics()["paused"] is False


def test_what_runs_goes_on_and_its_deadline_holds(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    runs, times_out = pool.add("result"), pool.using(timeout=0.1).add()
    gate.entered(2)

    pool.pause()

    assert pool.wait(times_out, SECONDS).status == "FAILURE"
    gate.open()
    assert pool.wait(runs, SECONDS).response == "result"


def test_a_retry_and_a_delayed_job_wait_too(task: MakeTask) -> None:
    runs: list[int] = []

    def handler(job_id: int) -> None:
        runs.append(job_id)
        if len(runs) == 1:
            pool.pause()
            raise ValueError

    pool = task(handler, attempts=1, attempt_after=20)
    first = pool.add()
    until(lambda: pool.metrics()["paused"], "the pause")
    second = pool.using(run_after=0.02).add()
    until(lambda: not pool.metrics()["delayed"], "both to be due")

    assert stays(lambda: len(runs) == 1)
    pool.resume()
    assert {pool.wait(job_id, SECONDS).status for job_id in (first, second)} == {"SUCCESS"}


def test_while_paused_no_worker_is_free(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), worker_nums=2, size=3)
    pool.pause()
    for _ in range(3):
        pool.add()

    with pytest.raises(QueueFull):
        pool.add()

    pool.resume()
    pool.add(), pool.add()
    with pytest.raises(QueueFull):
        pool.add()


def test_pausing_twice_and_resuming_what_is_not_paused_changes_nothing(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    pool.resume()
    pool.pause(), pool.pause()
    job_id = pool.add()
    assert stays(lambda: pool.get(job_id).status == "WAITING")

    pool.resume()

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


def test_a_waiting_job_of_a_paused_pool_can_be_cancelled(task: MakeTask) -> None:
    ran: list[int] = []
    pool = task(ran.append)
    pool.pause()
    job_id, other = pool.add(), pool.add()

    assert pool.cancel(job_id)

    pool.resume()
    pool.wait(other, SECONDS)
    assert ran == [other]


def test_a_pause_belongs_to_one_task(task: MakeTask) -> None:
    one, other = task(lambda job_id: None, "one"), task(lambda job_id: None, "other")

    one.pause()

    assert other.wait(other.add(), SECONDS).status == "SUCCESS"
    assert other.metrics()["paused"] is False


def test_many_pauses_and_resumes_lose_no_job(task: MakeTask) -> None:
    ran: list[int] = []
    pool = task(ran.append, worker_nums=3, size=5_000)
    ids: list[int] = []

    def add() -> None:
        for _ in range(300):
            ids.append(pool.add())
            time.sleep(0)

    adder = threading.Thread(target=add)
    adder.start()
    for _ in range(50):
        pool.pause()
        time.sleep(0.0005)
        pool.resume()
    adder.join()

    until(lambda: not pool.jobs, "all to run")
    assert sorted(ran) == sorted(ids)


# resize


def test_upward_is_at_once(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    for _ in range(4):
        pool.add()
    gate.entered(1)

    pool.resize(3)

    gate.entered(2)
    assert (pool.metrics()["running"], pool.metrics()["workers"]) == (3, 3)
    assert stays(lambda: pool.metrics()["running"] == 3)


def test_downward_each_surplus_worker_leaves_after_its_job(site: Site, task: MakeTask) -> None:
    gates = [site.gate() for _ in range(3)]
    last = site.gate()

    def handler(job_id: int, number: int) -> None:
        (gates[number] if number < 3 else last)(job_id)

    pool = task(handler, worker_nums=3)
    ids = [pool.add(number) for number in (0, 1, 2, 3, 3, 3)]
    for gate in gates:
        gate.entered()

    pool.resize(1)

    assert [pool.get(job_id).status for job_id in ids[:3]] == ["RUNNING"] * 3
    gates[0].open(), gates[1].open()
    until(lambda: pool.metrics()["workers"] == 1, "two to leave")
    assert stays(lambda: pool.metrics()["running"] == 1)
    gates[2].open()
    last.entered()
    assert stays(lambda: pool.metrics()["running"] == 1)
    last.open()
    assert pool.wait(ids[-1], SECONDS).status == "SUCCESS"


def test_idle_workers_that_are_too_many_leave_at_once(task: MakeTask) -> None:
    pool = task(lambda job_id: time.sleep(0.01), worker_nums=8)
    for job_id in pool.add_many([()] * 8):
        pool.wait(job_id, SECONDS)
    assert pool.metrics()["workers"] > 2

    pool.resize(2)

    until(lambda: pool.metrics()["workers"] == 2, "the others to leave")
    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"


def test_the_boundary_of_the_queue_goes_with_the_workers(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), worker_nums=1, size=1)
    pool.resize(3)

    assert len(pool.add_many([()] * 4)) == 4
    with pytest.raises(QueueFull):
        pool.add()
    assert pool.metrics()["worker_nums"] == 3


@pytest.mark.parametrize(
    ("number", "error_type"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1_001, ValueError),
        (10**30, ValueError),
        ("5", TypeError),
        (2.0, TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_a_number_of_workers_that_can_not_be_is_refused(
    task: MakeTask, kind: str, number: Any, error_type: type[Exception]
) -> None:
    pool = task(lambda job_id: None, worker_nums=2)
    most = 100_000 if kind.endswith("async") else 1_000
    number = most + 1 if number == 1_001 else number

    with pytest.raises(error_type) as error:
        pool.resize(number)

    assert str(error.value).startswith(f"resize({number!r}): give a whole number from 1 to {most:,}")
    assert pool.metrics()["worker_nums"] == 2


def test_many_resizes_lose_no_job_and_no_worker(task: MakeTask) -> None:
    ran: list[int] = []
    pool = task(ran.append, worker_nums=3, size=5_000)
    ids: list[int] = []

    def add() -> None:
        for _ in range(300):
            ids.append(pool.add())
            time.sleep(0)

    adder = threading.Thread(target=add)
    adder.start()
    for number in (1, 8, 2, 5, 1, 3) * 10:
        pool.resize(number)
        time.sleep(0.0005)
    adder.join()

    until(lambda: not pool.jobs, "all to run")
    assert sorted(ran) == sorted(ids)
    until(lambda: pool.metrics()["workers"] <= 3, "those too many to leave")


# purge


def test_purge_cancels_what_is_ready_and_nothing_else(site: Site, task: MakeTask, notes: Notes) -> None:
    gate = site.gate()

    def handler(job_id: int, what: str = "") -> None:
        if what == "retrying":
            raise ValueError
        gate(job_id)

    pool = task(handler, worker_nums=1, attempts=1, attempt_after=60_000, event=notes.events("error"))
    retrying = pool.add("retrying")
    until(lambda: pool.get(retrying).due_at, "the failed run")
    running = pool.add()
    gate.entered()
    delayed = pool.using(run_after=60).add()
    ready = [pool.add() for _ in range(3)]

    assert pool.purge() == 3

    assert set(pool.jobs) == {retrying, running, delayed}
    for job_id in ready:
        info = pool.get(job_id)
        assert (info.status, info.attempt, info.error and info.error.kind) == ("FAILURE", 0, "cancelled")
    until(lambda: len(notes.all) == 3, "their events")
    assert pool.purge() == 0
    assert pool.purge(delayed=True) == 2
    assert set(pool.jobs) == {running}
    assert pool.metrics()["failed"]["cancelled"] == 5
    gate.open()
    assert pool.wait(running, SECONDS).status == "SUCCESS"


def test_purge_makes_room(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, size=2)
    for _ in range(3):
        pool.add()
    gate.entered()

    pool.purge()

    pool.add(), pool.add()
    with pytest.raises(QueueFull):
        pool.add()


def test_purge_takes_its_option_by_name_only(task: MakeTask) -> None:
    with pytest.raises(TypeError):
        task(lambda job_id: None).purge(True)  # type: ignore[misc]


# close


def test_close_of_a_paused_pool_starts_nothing_and_answers_what_is_left(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(ran.append, event=notes.events("add", "error"))
    pool.pause()
    ids = [pool.add(), pool.using(run_after=60).add()]
    began = time.monotonic()

    left = pool.close(SECONDS)

    assert (sorted(left), ran) == (ids, [])
    assert time.monotonic() - began < 5
    for job_id in ids:
        info = pool.get(job_id)
        assert (info.status, info.error and info.error.kind) == ("FAILURE", "lost")
        assert notes.names(job_id) == ["add", "error"]


@pytest.mark.slow
def test_close_runs_a_delayed_job_that_is_due_in_time(task: MakeTask) -> None:
    pool = task(lambda job_id: "done")
    soon, late = pool.using(run_after=0.1).add(), pool.using(run_after=60).add()

    left = pool.close(0.4)

    assert left == [late]
    assert pool.get(soon).response == "done"


def test_a_closed_pool_refuses_to_add_many_and_to_retry_and_still_answers(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler)
    job_id = pool.add()
    pool.close(SECONDS)

    for refused in (lambda: pool.add_many([()]), lambda: pool.retry(job_id), pool.using(priority=1).add):
        with pytest.raises(PoolClosed):
            refused()
    assert [info.id for info in pool.search()] == [job_id]
    assert (pool.metrics()["refused"], pool.close(0), pool.purge()) == (3, [], 0)


def test_stopping_is_false_until_the_close_and_true_from_then_on(site: Site, task: MakeTask) -> None:
    seen: list[bool] = []
    entered = threading.Event()

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        seen.append(job.stopping)
        entered.set()
        until(lambda: job.stopping, "the close")
        seen.append(job.stopping)

    pool = task(handler)
    pool.add()
    assert entered.wait(SECONDS)

    assert pool.close(SECONDS) == []

    assert seen == [False, True]
