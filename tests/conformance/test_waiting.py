"""API: looking. Whom `wait` answers, when, and with what."""

import threading
import time
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site
from yao_tasks import current_job
from yao_tasks.errors import JobNotFound

Settings = Any


def end(job_id: int, *, fails: bool = False) -> str:
    if fails:
        raise ValueError("it failed")
    return "result"


# JobInfo, field by field


def test_wait_answers_the_ended_job(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add("result")
    gate.entered()
    threading.Timer(0.02, gate.open).start()

    info = pool.wait(job_id)

    assert (info.id, info.status, info.response) == (job_id, "SUCCESS", "result")
    assert info == pool.get(job_id)


def test_wait_for_a_job_that_has_ended_answers_at_once(task: MakeTask) -> None:
    pool = task(end)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)

    assert pool.wait(job_id, 0).status == "SUCCESS"


@pytest.mark.parametrize("timeout", [0, 0.05, -1])
def test_wait_gives_up_after_its_timeout(site: Site, task: MakeTask, timeout: float) -> None:
    pool = task(site.gate())
    job_id = pool.add()
    began = time.monotonic()

    with pytest.raises(TimeoutError) as error:
        pool.wait(job_id, timeout)

    assert max(0, timeout) <= time.monotonic() - began < 1
    assert str(error.value) == f'Job {job_id} of "job" has not ended within {timeout:g} s.'
    assert pool.get(job_id).status in ("WAITING", "RUNNING")


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_wait_takes_any_length_of_time(task: MakeTask, timeout: float) -> None:
    pool = task(lambda job_id: time.sleep(0.02))

    assert pool.wait(pool.add(), timeout).status == "SUCCESS"


def test_wait_for_a_job_that_is_not_there(task: MakeTask) -> None:
    pool = task(end)

    with pytest.raises(JobNotFound):
        pool.wait(12, 5)


@pytest.mark.parametrize("retention", [0, 60])
@pytest.mark.parametrize("how", ["returns", "raises", "is cancelled", "is lost", "times out"])
def test_all_who_wait_get_the_ended_job_retention_or_not(task: MakeTask, how: str, retention: float) -> None:
    go = threading.Event()

    def handler(job_id: int) -> None:
        assert go.wait(SECONDS)
        if how == "raises":
            raise ValueError

    pool = task(handler, retention=retention, timeout=0.3 if how == "times out" else SECONDS)
    job_id = pool.add()
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(pool.wait(job_id, SECONDS).status)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.02)

    if how == "is cancelled":
        pool.cancel(job_id)
    elif how == "is lost":
        pool.close(0)
    elif how != "times out":
        go.set()

    for thread in threads:
        thread.join(SECONDS)
    assert got == (["SUCCESS"] if how == "returns" else ["FAILURE"]) * 4
    go.set()


def test_waiting_for_a_job_that_is_retried_waits_for_its_last_run(task: MakeTask) -> None:
    def handler(job_id: int) -> int:
        job = current_job()
        assert job is not None
        if job.attempt < 3:
            raise ValueError
        return job.attempt

    pool = task(handler, attempts=5, attempt_after=20)

    assert pool.wait(pool.add(), SECONDS).response == 3


def test_waiting_inside_the_jobs_own_add_event_raises_at_once(task: MakeTask) -> None:
    errors: list[BaseException] = []

    def on_add(job_id: int) -> None:
        with pytest.raises(RuntimeError, match="return from event") as error:
            pool.wait(job_id, 1)
        errors.append(error.value)

    pool = task(end, event={"add": on_add})

    job_id = pool.add()

    assert len(errors) == 1
    assert not isinstance(errors[0], TimeoutError)
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


@pytest.mark.parametrize(
    "first",
    [
        "outer",
        "inner",
    ],
)
def test_a_pool_whose_workers_all_wait_for_its_own_waiting_jobs_says_so(task: MakeTask, first: str) -> None:
    waiting = threading.Event()

    def handler(job_id: int, depth: int) -> str:
        if depth == 0:
            return "the end"
        other = pool.add(depth - 1)
        # Who begins to wait first must not matter.
        if first == ("outer" if depth == 2 else "inner"):
            threading.Timer(0.05, waiting.set).start()
        else:
            assert waiting.wait(SECONDS)
        return str(pool.wait(other, SECONDS).response)

    pool = task(handler, worker_nums=2, timeout=2 * SECONDS)

    info = pool.wait(pool.add(2), SECONDS)

    # The inner one is told; the outer one gets its text.
    assert info.status == "SUCCESS"
    assert 'all 2 workers of "job" wait for jobs of their own pool' in info.response


def test_waiting_in_a_handler_for_another_pools_job_works(task: MakeTask) -> None:
    inner = task(lambda job_id: "inner", "inner", worker_nums=1)
    outer = task(lambda job_id: inner.wait(inner.add(), SECONDS).response, "outer", worker_nums=1)

    assert outer.wait(outer.add(), SECONDS).response == "inner"


# jobs
