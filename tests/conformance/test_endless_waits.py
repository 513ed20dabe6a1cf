"""API: a wait that can't end raises RuntimeError at once, and only such a wait."""

import threading
import time

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.pools import Pool


def test_the_only_worker_can_not_wait_for_a_job_behind_it(task: MakeTask) -> None:
    began = time.monotonic()

    def handler(job_id: int, *, inner: bool = False) -> None:
        if not inner:
            pool.wait(pool.add(inner=True))

    pool = task(handler, worker_nums=1)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.status, info.error and info.error.type) == ("FAILURE", "RuntimeError")
    assert 'all 1 workers of "job" wait for jobs of their own pool' in info.response
    assert time.monotonic() - began < 2


def test_a_worker_may_wait_while_another_is_free(task: MakeTask) -> None:
    def handler(job_id: int, *, inner: bool = False) -> str:
        return "inner" if inner else str(pool.wait(pool.add(inner=True), SECONDS).response)

    pool = task(handler, worker_nums=2)

    for _ in range(5):
        assert pool.wait(pool.add(), SECONDS).response == "inner"


def test_a_worker_may_wait_for_a_job_that_runs(site: Site, task: MakeTask) -> None:
    gate = site.gate()

    def handler(job_id: int, what: str, other: int = 0) -> object:
        return gate(job_id) if what == "gate" else pool.wait(other, SECONDS).status

    pool = task(handler, worker_nums=2)
    running = pool.add("gate")
    gate.entered()
    waits = pool.add("wait", running)
    until(lambda: pool.get(waits).status == "RUNNING", "it to wait")

    gate.open()

    assert pool.wait(waits, SECONDS).response == "SUCCESS"


def test_waits_that_are_over_are_not_counted(task: MakeTask) -> None:
    def handler(job_id: int, *, inner: bool = False) -> None:
        if not inner:
            for _ in range(5):
                with pytest.raises(TimeoutError):
                    pool.wait(pool.using(run_after=60).add(inner=True), 0.01)

    pool = task(handler, worker_nums=2)

    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"
    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"


def test_a_thread_that_is_no_worker_may_wait_whatever_the_workers_do(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    pool.add()
    gate.entered()
    job_id = pool.add("result")
    threading.Timer(0.05, gate.open).start()

    assert pool.wait(job_id, SECONDS).response == "result"


def test_an_add_event_in_the_callers_thread_is_no_worker(task: MakeTask) -> None:
    seen: list[str] = []

    def on_add(job_id: int) -> None:
        if pool.get(job_id).args == ("second",):
            seen.append(pool.wait(first[0], SECONDS).status)

    pool = task(lambda job_id, name: time.sleep(0.05), worker_nums=1, event={"add": on_add})
    pool.pause()
    first = [pool.add("first")]
    timer = threading.Timer(0.05, pool.resume)
    timer.start()

    pool.add("second")

    assert seen == ["SUCCESS"]
    timer.join()


@pytest.mark.slow
@pytest.mark.kinds("thread", "async")  # a process is killed: nothing goes on after its end
def test_a_stuck_worker_that_was_replaced_is_not_counted(stubborn_task: MakeTask) -> None:
    never = threading.Event()

    def handler(job_id: int, what: str) -> object:
        if what == "hang":
            try:
                # Inside a wait on its own pool when its time is over, and for long after.
                return pool.wait(pool.using(run_after=3).add("inner"), SECONDS).status
            finally:
                never.set()
        if what == "inner":
            return "inner"
        return pool.wait(pool.using(run_after=0.1).add("inner"), SECONDS).status

    pool = stubborn_task(handler, worker_nums=2)
    hangs = pool.using(timeout=0.1).add("hang")
    assert pool.wait(hangs, SECONDS).status == "FAILURE"
    until(lambda: pool.metrics()["workers"] > 0 and pool.metrics()["stuck"] == 1, "it to be stuck")
    # Longer than it is given to come back by itself.
    time.sleep(0.3)

    info = pool.wait(pool.add("outer"), SECONDS)

    assert (info.status, info.response) == ("SUCCESS", "SUCCESS")
    pool.purge(delayed=True)
    assert never.wait(SECONDS)


# One's own transaction


@pytest.mark.django_db(transaction=True)
def test_a_job_of_ones_own_open_transaction_can_not_be_waited_for(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    with transaction.atomic():
        job_id = pool.add()
        began = time.monotonic()

        with pytest.raises(RuntimeError, match="commit its transaction"):
            pool.wait(job_id)

        assert time.monotonic() - began < 0.5
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


@pytest.mark.django_db(transaction=True)
def test_nor_can_it_be_among_those_that_are_waited_for_as_they_end(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    with transaction.atomic():
        ids = pool.add_many([(), ()])

        with pytest.raises(RuntimeError) as error:
            list(pool.as_completed(ids, 1))

        assert not isinstance(error.value, TimeoutError)


@pytest.mark.django_db(transaction=True)
def test_a_job_of_anothers_open_transaction_can_be_waited_for(task: MakeTask) -> None:
    pool: Pool = task(lambda job_id: None)
    got: list[str] = []
    with transaction.atomic():
        job_id = pool.add()
        waiter = threading.Thread(target=lambda: got.append(pool.wait(job_id, SECONDS).status))
        waiter.start()
        waiter.join(0.1)
        assert got == []

    waiter.join(SECONDS)
    assert got == ["SUCCESS"]


def test_current_job_is_still_the_outer_one_after_a_refused_wait(task: MakeTask) -> None:
    def handler(job_id: int) -> bool:
        with pytest.raises(RuntimeError):
            pool.wait(pool.using(run_after=60).add())
        job = current_job()
        return job is not None and job.id == job_id

    pool = task(handler, worker_nums=1)

    assert pool.wait(pool.add(), SECONDS).response is True
