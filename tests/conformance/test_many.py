"""API: many jobs in one call: all or none, or as many as there is place for."""

import copy
import gc
import pickle
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.errors import BadJobId, DuplicateJob, JobNotFound, PoolClosed, QueueFull
from yao_tasks.pools import Pool

in_transactions = pytest.mark.django_db(transaction=True)


def echo(job_id: int, *args: Any) -> tuple[Any, ...]:
    return list(args)


def nothing_happened(pool: Pool, notes: Notes, ran: list[int], *, worker_nums: int, size: int) -> None:
    """No job was, and no place is taken."""
    assert (len(pool.jobs), notes.all, ran) == (0, [], [])
    metrics = pool.metrics()
    assert (metrics["added"], metrics["started"], metrics["waiting"], metrics["queued"]) == (0, 0, 0, 0)
    pool.pause()
    assert len(pool.add_many([(number,) for number in range(size)])) == size
    with pytest.raises(QueueFull):
        pool.add("one too many")


# All or none


def test_each_call_becomes_a_job_and_the_ids_come_in_its_order(task: MakeTask, notes: Notes) -> None:
    pool = task(echo, event=notes.events("add", "success"))
    calls: list[Any] = [("ada", 1), ["bob"], ()]

    ids = pool.add_many(calls)

    assert isinstance(ids, list)
    assert ids == sorted(set(ids))
    assert [pool.wait(job_id, SECONDS).response for job_id in ids] == [["ada", 1], ["bob"], []]
    pool.close()
    assert [notes.names(job_id) for job_id in ids] == [["add", "success"]] * 3


def test_no_calls_are_no_jobs(task: MakeTask) -> None:
    pool = task(echo)

    assert pool.add_many([]) == []
    assert pool.add_many(iter(())) == []


def test_any_iterable_will_do(task: MakeTask) -> None:
    pool = task(echo)

    ids = pool.add_many((number,) for number in range(5))

    assert [pool.wait(job_id, SECONDS).response for job_id in ids] == [[number] for number in range(5)]


def test_they_start_in_the_order_of_the_calls(task: MakeTask) -> None:
    ran: list[int] = []
    pool = task(lambda job_id, number: ran.append(number), worker_nums=1)

    pool.add_many([(number,) for number in range(20)])

    until(lambda: not pool.jobs, "all to run")
    assert ran == list(range(20))


def test_an_idle_pool_takes_its_workers_and_its_size_and_not_one_more(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), worker_nums=2, size=3)

    with pytest.raises(QueueFull):
        pool.add_many([()] * 6)
    assert len(pool.jobs) == 0
    assert pool.metrics()["refused"] == 6

    assert len(pool.add_many([()] * 5)) == 5
    with pytest.raises(QueueFull):
        pool.add()


def test_a_full_queue_refuses_all_of_them(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(lambda job_id, *args: ran.append(job_id), worker_nums=1, size=2, event=notes.events())

    with pytest.raises(QueueFull):
        pool.add_many([()] * 4)

    nothing_happened(pool, notes, ran, worker_nums=1, size=2)


@pytest.mark.parametrize("bad", ["ada@x.org", 5, None, {"a": 1}, {1}, b"x", object()], ids=repr)
@pytest.mark.parametrize("partial", [False, True])
def test_one_bad_element_adds_none_and_is_named_with_its_place(
    task: MakeTask, notes: Notes, bad: object, *, partial: bool
) -> None:
    ran: list[int] = []
    pool = task(lambda job_id, *args: ran.append(job_id), worker_nums=1, size=2, event=notes.events())

    with pytest.raises(TypeError) as error:
        pool.add_many([("a",), bad, ("b",)], partial=partial)  # type: ignore[list-item]

    assert str(error.value).startswith("add_many: element 1 is ")
    assert "Give a tuple of arguments" in str(error.value)
    nothing_happened(pool, notes, ran, worker_nums=1, size=2)


def test_a_text_in_place_of_a_list_of_calls_is_refused(task: MakeTask) -> None:
    with pytest.raises(TypeError, match='add_many: element 0 is "a"'):
        task(echo).add_many("ada")


def test_an_iterable_that_raises_adds_none(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(lambda job_id, *args: ran.append(job_id), worker_nums=1, size=2, event=notes.events())

    def calls() -> Iterator[tuple[int]]:
        yield (1,)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.add_many(calls())

    nothing_happened(pool, notes, ran, worker_nums=1, size=2)


@pytest.mark.parametrize("calls", [[("a",), ("b",), ("a",)], [("b",), ("there",)]])
def test_one_duplicate_adds_none_whether_of_each_other_or_of_one_before(
    site: Site, task: MakeTask, notes: Notes, calls: list[tuple[str]]
) -> None:
    pool = task(site.gate(), worker_nums=1, unique=True, event=notes.events("add"))
    there = pool.add("there")

    with pytest.raises(DuplicateJob):
        pool.add_many(calls)

    assert list(pool.jobs) == [there]
    assert len(notes.all) == 1
    # Their keys are free again.
    assert len(pool.add_many([("a",), ("b",)])) == 2


@pytest.mark.kinds("thread")  # other kinds refuse such arguments
def test_arguments_that_can_not_be_compared_add_none(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(
        lambda job_id, *args: ran.append(job_id), worker_nums=1, size=2, unique=True, event=notes.events()
    )

    with pytest.raises(TypeError, match="can't be compared"):
        pool.add_many([("a",), (b"x",)])

    nothing_happened(pool, notes, ran, worker_nums=1, size=2)


@pytest.mark.parametrize("bad", ["raises", "taken", "no id"])
def test_an_id_that_fails_adds_none(task: MakeTask, notes: Notes, bad: str) -> None:
    ran: list[int] = []
    ids = iter([5, 6, *([5] if bad == "taken" else [-1] if bad == "no id" else []), *range(10, 20)])

    def next_id() -> int:
        job_id = next(ids)
        if bad == "raises" and job_id == 10:
            raise ZeroDivisionError
        return job_id

    pool = task(
        lambda job_id, *args: ran.append(job_id),
        worker_nums=1,
        size=3,
        event={**notes.events(), "next": next_id},
    )

    with pytest.raises(ZeroDivisionError if bad == "raises" else BadJobId):
        pool.add_many([()] * 3)

    nothing_happened(pool, notes, ran, worker_nums=1, size=3)


def test_a_closed_pool_adds_none(task: MakeTask) -> None:
    pool = task(echo)
    pool.close()

    for partial in (False, True):
        with pytest.raises(PoolClosed):
            pool.add_many([()], partial=partial)


# Partial


def test_partial_adds_as_many_as_there_is_place_for(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), worker_nums=1, size=2)

    ids = pool.add_many([(number,) for number in range(5)], partial=True)

    assert ids[3:] == [0, 0]
    assert list(pool.jobs) == ids[:3]
    assert [pool.get(job_id).args for job_id in ids[:3]] == [(0,), (1,), (2,)]
    assert (pool.metrics()["added"], pool.metrics()["refused"]) == (3, 2)


def test_partial_passes_over_duplicates(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), worker_nums=1, unique=True)
    pool.add("there")

    ids = pool.add_many([("a",), ("there",), ("a",), ("b",)], partial=True)

    assert [bool(job_id) for job_id in ids] == [True, False, False, True]


def test_partial_of_a_full_queue_is_all_zeros(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), worker_nums=1, size=1)
    pool.add(), pool.add()

    assert pool.add_many([()] * 3, partial=True) == [0, 0, 0]


# Options


def test_options_hold_for_each(task: MakeTask) -> None:
    pool = task(echo)

    ids = pool.using(run_after=60, expires=0.1).add_many([("a",), ("b",)])

    assert all(pool.get(job_id).due_at for job_id in ids)
    assert [pool.wait(job_id, SECONDS).status for job_id in ids] == ["FAILURE"] * 2


def test_one_key_for_two_is_a_duplicate(task: MakeTask) -> None:
    pool = task(echo)

    with pytest.raises(DuplicateJob):
        pool.using(unique="ada").add_many([("a",), ("b",)])

    assert len(pool.jobs) == 0


# Transactions


@in_transactions
def test_in_a_transaction_they_wait_for_the_commit(task: MakeTask, notes: Notes) -> None:
    pool = task(echo, worker_nums=1, size=2, event=notes.events("add", "success"))
    with transaction.atomic():
        ids = pool.add_many([("a",), ("b",), ("c",)])
        assert [pool.get(job_id).status for job_id in ids] == ["WAITING"] * 3
        assert notes.all == []
        with pytest.raises(QueueFull):
            pool.add()
        with pytest.raises(QueueFull):
            pool.add_many([()])

    assert [pool.wait(job_id, SECONDS).response for job_id in ids] == [["a"], ["b"], ["c"]]


@in_transactions
def test_after_a_rollback_none_of_them_ever_was(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(lambda job_id, *args: ran.append(job_id), worker_nums=1, size=2, event=notes.events())
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ids = pool.add_many([("a",), ("b",)])
        raise ZeroDivisionError

    for job_id in ids:
        with pytest.raises(JobNotFound):
            pool.get(job_id)
    nothing_happened(pool, notes, ran, worker_nums=1, size=2)


@in_transactions
def test_one_that_is_cancelled_before_the_commit_never_runs(task: MakeTask, notes: Notes) -> None:
    pool = task(echo, event=notes.events("add", "success", "error"))
    with transaction.atomic():
        ids = pool.add_many([("a",), ("b",)])
        assert pool.cancel(ids[0])
        assert notes.all == []

    assert pool.wait(ids[1], SECONDS).status == "SUCCESS"
    until(lambda: len(notes.all) == 4, "the events")
    assert (notes.names(ids[0]), notes.names(ids[1])) == (["add", "error"], ["add", "success"])


@in_transactions
def test_what_could_not_be_added_does_not_break_the_transaction(task: MakeTask) -> None:
    pool = task(echo, worker_nums=1, size=1)
    with transaction.atomic():
        with pytest.raises(QueueFull):
            pool.add_many([()] * 3)
        job_id = pool.add("a")

    assert pool.wait(job_id, SECONDS).response == ["a"]


# Findable


@pytest.mark.parametrize("retention", [0, 0.01])
def test_its_jobs_are_found_as_long_as_the_list_is_held(task: MakeTask, retention: float) -> None:
    pool = task(echo, retention=retention)
    ids = pool.add_many([("a",), ("b",)])
    first, second = ids
    until(lambda: not pool.jobs, "all to run")
    pool.close()

    assert pool.get(first).response == ["a"]
    assert pool.wait(second, 0).response == ["b"]
    assert {info.id for info in pool.as_completed(ids, 1)} == {first, second}
    del ids
    gc.collect()
    for job_id in (first, second):
        until(lambda job_id=job_id: not known(pool, job_id), "it to be forgotten")


def known(pool: Pool, job_id: int) -> bool:
    try:
        pool.get(job_id)
    except JobNotFound:
        return False
    return True


def test_more_jobs_than_retention_keeps_are_found(task: MakeTask, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION_MAX": 2}
    pool = task(echo)

    ids = pool.add_many([(number,) for number in range(10)])

    until(lambda: not pool.jobs, "all to run")
    assert [pool.get(job_id).response for job_id in ids] == [[number] for number in range(10)]


def test_a_job_of_a_held_list_that_was_retried_is_never_shown_as_it_was(task: MakeTask) -> None:
    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            raise ValueError
        return "second life"

    pool = task(handler, retention=0.01)
    ids = pool.add_many([()])
    pool.wait(ids[0], SECONDS)
    pool.retry(ids[0])
    until(lambda: not pool.jobs, "its second life to end")

    # Past its retention it is still found, and no failure again.
    time.sleep(0.02)
    assert pool.get(ids[0]).response == "second life"


@pytest.mark.parametrize(
    "other", [lambda ids: pickle.loads(pickle.dumps(ids)), copy.copy, copy.deepcopy, list]
)
def test_a_copy_of_the_list_is_a_plain_one(task: MakeTask, other: Any) -> None:
    pool = task(echo)
    ids = pool.add_many([("a",)])

    assert other(ids) == ids
    assert type(other(ids)) is list


def test_the_list_can_be_used_as_any_list_by_the_orm(task: MakeTask, db: None) -> None:
    pool = task(lambda job_id: None)
    ids = pool.add_many([(), ()])

    # Django makes a new one of its type.
    assert list(User.objects.filter(pk__in=ids)) == []
    assert type(ids)(ids) == list(ids)
