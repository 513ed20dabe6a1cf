"""API: adding. What is taken, what is refused, and which ids are given."""

import threading
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import tasks
from yao_tasks.errors import QueueFull


def until_open(job_id: int, gate: threading.Event) -> None:
    assert gate.wait(SECONDS)


@pytest.mark.parametrize(("worker_nums", "size"), [(1, 1), (2, 3), (4, 1), (3, 20)])
def test_an_idle_pool_takes_its_workers_and_its_size_in_one_burst_and_not_one_more(
    site: Site, task: MakeTask, worker_nums: int, size: int
) -> None:
    pool = task(site.gate(), worker_nums=worker_nums, size=size)

    ids = [pool.add() for _ in range(worker_nums + size)]

    with pytest.raises(QueueFull):
        pool.add()
    site.gates[0].open()
    assert {pool.wait(job_id, SECONDS).status for job_id in ids} == {"SUCCESS"}


def test_the_boundary_is_the_same_once_all_workers_are_busy(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=2, size=2)
    pool.add(), pool.add()
    gate.entered(2)

    pool.add(), pool.add()

    with pytest.raises(QueueFull):
        pool.add()


def test_a_refusal_says_which_task_how_many_wait_and_what_to_do(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), "mail.welcome", worker_nums=1, size=3)
    for _ in range(4):
        pool.add()

    with pytest.raises(QueueFull) as refused:
        pool.add()

    text = str(refused.value)
    assert '"mail.welcome" has 3 jobs waiting' in text
    assert "raise size or worker_nums" in text


def test_a_refused_job_leaves_nothing_behind(site: Site, task: MakeTask, notes: Notes) -> None:
    pool = task(site.gate(), worker_nums=1, size=1, event=notes.events())
    ids = [pool.add(), pool.add()]

    with pytest.raises(QueueFull):
        pool.add()

    assert list(pool.jobs) == ids
    assert {note.job for note in notes.all} == set(ids)
    assert (pool.metrics()["added"], pool.metrics()["refused"]) == (2, 1)


def test_each_job_that_ends_makes_room_for_exactly_one(task: MakeTask) -> None:
    gates = [threading.Event() for _ in range(4)]
    pool = task(lambda job_id, number: until_open(job_id, gates[number]), worker_nums=1, size=1)
    first = pool.add(0)
    pool.add(1)

    gates[0].set()
    pool.wait(first, SECONDS)
    until(lambda: pool.metrics()["running"], "the second job to start")
    pool.add(2)

    with pytest.raises(QueueFull):
        pool.add(3)
    for gate in gates:
        gate.set()


def test_a_waiting_job_that_is_cancelled_gives_its_place_back(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), worker_nums=1, size=1)
    pool.add()
    site.gates[0].entered()
    waiting = pool.add()

    pool.cancel(waiting)

    pool.add()
    with pytest.raises(QueueFull):
        pool.add()


@pytest.mark.kinds("thread", "async")  # a process is killed: nothing goes on after its end
def test_a_running_job_that_is_cancelled_keeps_its_worker_until_it_gives_in(
    site: Site, stubborn_task: MakeTask
) -> None:
    pool = stubborn_task(site.gate(), worker_nums=1, size=1)
    running = pool.add()
    site.gates[0].entered()

    pool.cancel(running)

    last = pool.add()
    with pytest.raises(QueueFull):
        pool.add()
    site.gates[0].open()
    assert pool.wait(last, SECONDS).status == "SUCCESS"


def test_jobs_between_two_runs_take_no_place(task: MakeTask) -> None:
    gate = threading.Event()

    def fail_once(job_id: int, *, failing: bool) -> None:
        if failing:
            raise ValueError
        assert gate.wait(SECONDS)

    pool = task(fail_once, worker_nums=1, size=1, attempts=1, attempt_after=60_000)
    for _ in range(3):
        pool.add(failing=True)
        until(lambda: pool.metrics()["delayed"] == len(pool.jobs), "the run to fail")

    pool.add(failing=False), pool.add(failing=False)

    with pytest.raises(QueueFull):
        pool.add(failing=False)
    gate.set()


def test_a_retry_is_not_refused_by_a_full_queue(task: MakeTask) -> None:
    gate = threading.Event()
    failed = threading.Event()

    def handler(job_id: int, what: str) -> str:
        if what == "fails first" and not failed.is_set():
            failed.set()
            raise ValueError
        assert gate.wait(SECONDS)
        return what

    pool = task(handler, worker_nums=1, size=1, attempts=1, attempt_after=20)
    retried = pool.add("fails first")
    until(lambda: pool.metrics()["delayed"], "the failed run")
    pool.add("fills"), pool.add("fills")
    until(lambda: not pool.metrics()["delayed"], "the retry to be due")

    gate.set()

    assert pool.wait(retried, SECONDS).status == "SUCCESS"
    assert pool.get(retried).attempt == 2


def test_the_size_of_one_task_is_not_filled_by_another(site: Site, task: MakeTask) -> None:
    task(site.gate(), "one", worker_nums=1, size=1)
    other = task(lambda job_id: None, "other", worker_nums=1, size=1)

    tasks["one"].add(), tasks["one"].add()

    assert other.wait(other.add(), SECONDS).status == "SUCCESS"


def test_ids_increase_and_are_exact_in_javascript(task: MakeTask) -> None:
    pool = task(lambda job_id: None, size=1_000)

    ids = [pool.add() for _ in range(500)]

    assert ids == sorted(set(ids))
    assert all(type(job_id) is int and 0 < job_id < 2**53 for job_id in ids)


def test_ids_of_all_threads_and_tasks_differ(task: MakeTask) -> None:
    pools = [task(lambda job_id: None, name, size=10_000) for name in ("a", "b")]
    ids: list[int] = []

    def add() -> None:
        ids.extend(pool.add() for _ in range(200) for pool in pools)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(ids)) == 4 * 200 * 2


def test_ids_go_on_after_all_pools_were_made_anew(task: MakeTask) -> None:
    first = task(lambda job_id: None).add()

    second = task(lambda job_id: None).add()

    assert second > first


def test_the_handler_gets_the_id_first_and_then_what_was_added(task: MakeTask) -> None:
    pool = task(lambda *args, **kwargs: [list(args), kwargs])

    job_id = pool.add("ada@example.org", 2, name="Ada")

    assert pool.wait(job_id, SECONDS).response == [[job_id, "ada@example.org", 2], {"name": "Ada"}]


def test_keywords_may_have_any_name(task: MakeTask) -> None:
    pool = task(lambda *args, **kwargs: kwargs)
    given = dict.fromkeys(
        ("self", "args", "kwargs", "options", "current", "handler", "callable", "task", "job"), 1
    )

    job_id = pool.add(**given)

    assert pool.wait(job_id, SECONDS).response == given


# To another process they go as JSON.
@pytest.mark.kinds("thread", "async")
def test_in_this_process_handlers_are_given_the_very_objects(task: MakeTask) -> None:
    pool = task(lambda job_id, *args, **kwargs: (*args, *kwargs.values()))
    lock, function = threading.Lock(), lambda: None

    response: Any = pool.wait(pool.add(lock, function=function), SECONDS).response

    assert response[0] is lock
    assert response[1] is function


def test_arguments_that_the_handler_does_not_take_fail_the_job(task: MakeTask) -> None:
    pool = task(lambda job_id: None)

    info = pool.wait(pool.add("one too many"), SECONDS)

    assert info.status == "FAILURE"
    assert info.error is not None
    assert (info.error.kind, info.error.type) == ("raised", "TypeError")


def test_a_handle_of_a_pool_may_be_kept(task: MakeTask) -> None:
    kept = task(lambda job_id: "old")
    task(lambda job_id: "new")

    assert kept.wait(kept.add(), SECONDS).response == "new"


def test_adding_right_after_a_job_is_seen_as_waiting_with_nothing_done(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    pool.add()
    gate.entered()

    info = pool.get(pool.add("data"))

    seen = (info.status, info.status_code, info.current, info.total, info.message, info.response)
    assert seen == ("WAITING", 1, 0, 0, "", None)
