"""API: ending. A cancel ends a job at once, in whichever state it is."""

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site

# The first to settle wins


def test_a_waiting_job_that_is_cancelled_never_runs(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    ran: list[int] = []

    def handler(job_id: int) -> None:
        ran.append(job_id)
        gate(job_id)

    pool = task(handler, worker_nums=1)
    first, waiting, last = pool.add(), pool.add(), pool.add()
    gate.entered()

    assert pool.cancel(waiting) is True

    gate.open()
    pool.wait(last, SECONDS)
    assert ran == [first, last]
    info = pool.get(waiting)
    assert info.error is not None
    assert (info.status, info.attempt, info.started_at) == ("FAILURE", 0, None)
    assert (info.error.kind, info.error.type) == ("cancelled", "yao_tasks.errors.JobCancelled")
    assert info.response == info.error.message != ""


def test_cancelling_a_running_job_ends_it_at_once_whatever_its_thread_does(
    site: Site, task: MakeTask
) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add()
    gate.entered()

    assert pool.cancel(job_id) is True

    assert pool.get(job_id).status == "FAILURE"
    assert job_id not in pool.jobs


def test_cancelling_what_is_not_alive_is_false(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    twice, success = pool.add(), pool.add()
    gate.entered(2)
    pool.cancel(twice)
    gate.open()
    pool.wait(success, SECONDS)

    assert pool.cancel(twice) is False
    assert pool.cancel(success) is False
    assert pool.cancel(success + 1_000) is False
    assert pool.get(success).status == "SUCCESS"


def test_a_job_can_cancel_itself(task: MakeTask) -> None:
    pool = task(lambda job_id: pool.cancel(job_id))

    info = pool.wait(pool.add(), SECONDS)

    assert info.error is not None
    assert info.error.kind == "cancelled"


# What handlers raise
