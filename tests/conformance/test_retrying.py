"""API: a person has a failed job tried again, under its id."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.errors import DuplicateJob, JobNotFound, PoolClosed, QueueFull
from yao_tasks.pools import Pool


def flaky(failures: int) -> Callable[..., int]:
    """A handler that fails in so many runs of each job, then answers the number of the run."""

    def handler(job_id: int, *args: Any) -> int:
        job = current_job()
        assert job is not None
        if job.attempt <= failures:
            raise ValueError(f"failure {job.attempt}")
        return job.attempt

    return handler


def test_a_failure_runs_again_under_its_id_with_its_attempt_counting_on(task: MakeTask) -> None:
    pool = task(flaky(3), attempts=1, attempt_after=0)
    job_id = pool.add("ada")
    first = pool.wait(job_id, SECONDS)
    assert (first.status, first.attempt) == ("FAILURE", 2)

    assert pool.retry(job_id) is None  # type: ignore[func-returns-value]

    # Run 3 fails, too, and is followed by another: the attempts are fresh.
    info = pool.wait(job_id, SECONDS)
    assert (info.status, info.attempt, info.response) == ("SUCCESS", 4, 4)
    assert (info.id, info.args, info.added_at) == (job_id, ("ada",), first.added_at)


def test_a_job_that_waits_again_shows_nothing_of_its_failure(site: Site, task: MakeTask) -> None:
    gate = site.gate()

    def handler(job_id: int, *, fails: bool = False) -> None:
        if fails:
            raise ValueError("it failed")
        gate(job_id)

    pool = task(handler, worker_nums=1)
    job_id = pool.add(fails=True)
    pool.wait(job_id, SECONDS)
    pool.add()
    gate.entered()

    pool.retry(job_id)

    info = pool.get(job_id)
    assert (info.status, info.attempt, info.error, info.response) == ("WAITING", 1, None, None)
    assert (info.ended_at, info.due_at) == (None, None)
    assert job_id in pool.jobs
    with pytest.raises(TimeoutError):
        pool.wait(job_id, 0)


def test_the_events_of_two_lives_come_in_order_and_add_only_once(task: MakeTask, notes: Notes) -> None:
    pool = task(flaky(1), event=notes.events())
    job_id = pool.add()
    pool.wait(job_id, SECONDS)

    pool.retry(job_id)

    pool.wait(job_id, SECONDS)
    pool.close()
    assert notes.names(job_id) == ["add", "error", "success"]


@pytest.mark.parametrize("how", ["raised", "cancelled", "timeout"])
def test_no_run_of_the_second_life_starts_before_the_end_of_the_first_was_told(
    task: MakeTask, notes: Notes, how: str
) -> None:
    go, release, order = threading.Event(), threading.Event(), []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        order.append(f"run {job.attempt}")
        if job.attempt > 1:
            return
        if how == "raised":
            raise ValueError
        assert release.wait(SECONDS)

    def on_error(job_id: int, error: Exception) -> None:
        assert go.wait(SECONDS)
        order.append("error")

    pool = task(
        handler, worker_nums=3, timeout=0.1 if how == "timeout" else SECONDS, event={"error": on_error}
    )
    job_id = pool.add()
    until(lambda: order == ["run 1"], "the first run")
    if how == "cancelled":
        assert pool.cancel(job_id)
    assert pool.wait(job_id, SECONDS).status == "FAILURE"

    pool.retry(job_id)

    # Others run meanwhile, so there is a worker for it.
    assert pool.get(job_id).status == "WAITING"
    go.set()
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    assert order == ["run 1", "error", "run 2"]
    release.set()


def test_the_late_return_of_a_first_life_does_not_end_the_second(
    site: Site, task: MakeTask, notes: Notes
) -> None:
    late, gate = threading.Event(), site.gate()

    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            assert late.wait(SECONDS)
            return "late"
        gate(job_id)
        return "in time"

    pool = task(handler, worker_nums=2, event=notes.events("success", "error"))
    job_id = pool.add()
    until(lambda: pool.get(job_id).status == "RUNNING", "the run")
    pool.cancel(job_id)
    pool.retry(job_id)
    gate.entered()

    late.set()

    until(lambda: not pool.metrics()["stuck"], "the first run to come back")
    assert pool.get(job_id).status == "RUNNING"
    gate.open()
    assert pool.wait(job_id, SECONDS).response == "in time"
    pool.close()
    assert notes.names(job_id) == ["error", "success"]


def test_who_waits_for_the_first_life_is_answered_with_its_end(site: Site, task: MakeTask) -> None:
    gate, got = site.gate(), []
    pool = task(gate)
    job_id = pool.add()
    gate.entered()
    waiter = threading.Thread(target=lambda: got.append(pool.wait(job_id, SECONDS).status))
    waiter.start()

    pool.cancel(job_id)
    waiter.join(SECONDS)
    pool.retry(job_id)

    assert got == ["FAILURE"]
    gate.open()
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


@pytest.mark.parametrize("state", ["WAITING", "RUNNING", "SUCCESS", "delayed", "retrying"])
def test_what_is_no_failure_is_a_value_error(site: Site, task: MakeTask, state: str) -> None:
    gate = site.gate()

    def handler(job_id: int, *args: Any) -> None:
        gate(job_id)
        if args:
            raise ValueError

    pool = task(handler, worker_nums=1, attempts=1, attempt_after=60_000)
    job_id = (
        pool.using(run_after=60).add() if state == "delayed" else pool.add(*["fails"] * (state == "retrying"))
    )
    if state == "WAITING":
        pool.cancel(job_id)
        job_id = pool.add()
    elif state != "delayed":
        gate.entered()
    if state in ("SUCCESS", "retrying"):
        gate.open()
        until(lambda: pool.get(job_id).due_at or pool.get(job_id).is_finished, "the end of the run")

    with pytest.raises(ValueError) as error:
        pool.retry(job_id)

    assert str(error.value) == f'Job {job_id} of "job" is no failure: only those can be retried.'


def test_what_is_forgotten_or_never_was_is_not_found(task: MakeTask) -> None:
    pool = task(flaky(9), retention=0)
    job_id = pool.add()
    until(lambda: not pool.jobs, "the end")

    for unknown in (job_id, 12):
        with pytest.raises(JobNotFound):
            pool.retry(unknown)


def test_a_full_queue_refuses_it_and_it_stays_a_failure(site: Site, task: MakeTask) -> None:
    gate = site.gate()

    def handler(job_id: int, *, fails: bool = False) -> None:
        if fails:
            raise ValueError("it failed")
        gate(job_id)

    pool = task(handler, worker_nums=1, size=1)
    job_id = pool.add(fails=True)
    pool.wait(job_id, SECONDS)
    pool.add()
    gate.entered()
    place = pool.add()

    with pytest.raises(QueueFull, match='"job" has 1 jobs waiting'):
        pool.retry(job_id)

    assert (pool.get(job_id).status, pool.get(job_id).response) == ("FAILURE", "it failed")
    assert pool.metrics()["refused"] == 1
    pool.cancel(place)
    pool.retry(job_id)
    assert pool.get(job_id).status == "WAITING"


def test_a_job_like_it_refuses_it(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    adder = pool.using(unique="ada")
    first = adder.add()
    gate.entered()
    pool.cancel(first)
    second = adder.add()

    with pytest.raises(DuplicateJob) as error:
        pool.retry(first)

    assert error.value.job_id == second
    assert pool.get(first).status == "FAILURE"


def test_a_job_that_runs_again_holds_its_key_again(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    first = pool.using(unique="ada").add()
    gate.entered()
    pool.cancel(first)
    pool.retry(first)

    with pytest.raises(DuplicateJob) as error:
        pool.using(unique="ada").add()

    assert error.value.job_id == first
    gate.open()
    assert pool.wait(first, SECONDS).status == "SUCCESS"
    assert pool.using(unique="ada").add() != first


def test_a_closed_pool_refuses_it(task: MakeTask) -> None:
    pool = task(flaky(9))
    job_id = pool.add()
    pool.close()

    with pytest.raises(PoolClosed):
        pool.retry(job_id)

    assert pool.get(job_id).status == "FAILURE"


def test_a_timeout_of_its_own_holds_in_the_second_life(task: MakeTask) -> None:
    release = threading.Event()
    pool = task(lambda job_id: release.wait(SECONDS), worker_nums=4)
    job_id = pool.using(timeout=0.1).add()
    assert pool.wait(job_id, SECONDS).status == "FAILURE"

    pool.retry(job_id)

    info = pool.wait(job_id, SECONDS)
    release.set()
    assert (info.attempt, info.error and info.error.kind) == (2, "timeout")
    assert "longer than 0.1 s" in info.response


def test_of_many_who_retry_one_job_at_once_one_succeeds(task: MakeTask) -> None:
    ran: list[int] = []

    def handler(job_id: int) -> None:
        ran.append(job_id)
        if len(ran) == 1:
            raise ValueError

    pool = task(handler)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    start, refusals = threading.Barrier(8), []

    def retry() -> None:
        start.wait(SECONDS)
        try:
            pool.retry(job_id)
        except (ValueError, JobNotFound) as error:
            refusals.append(error)

    threads = [threading.Thread(target=retry) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)

    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    pool.close()
    assert (len(ran), len(refusals)) == (2, 7)


def test_a_job_may_be_retried_from_its_own_error_event(task: MakeTask, notes: Notes) -> None:
    pools: list[Pool] = []
    notes.also["error"] = lambda job_id, error: pools[0].retry(job_id)
    pools.append(task(flaky(1), worker_nums=1, event=notes.events()))
    pool = pools[0]

    job_id = pool.add()

    until(lambda: pool.get(job_id).status == "SUCCESS", "the second life")
    pool.close()
    assert notes.names(job_id) == ["add", "error", "success"]


def test_a_failure_that_only_the_list_of_add_many_still_knows_can_be_retried(task: MakeTask) -> None:
    pool = task(flaky(1), retention=0)
    ids = pool.add_many([()])
    assert pool.wait(ids[0], SECONDS).status == "FAILURE"

    pool.retry(ids[0])

    assert pool.wait(ids[0], SECONDS).response == 2
    with pytest.raises(ValueError, match="no failure"):
        pool.retry(ids[0])
