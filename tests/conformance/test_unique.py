"""API: a job whose arguments, or whose key, equal those of one that has not ended is refused."""

import datetime
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import Process, current_job
from yao_tasks.errors import DuplicateJob
from yao_tasks.pools import Pool

Call = tuple[tuple[Any, ...], dict[str, Any]]


def call(*args: Any, **kwargs: Any) -> Call:
    return args, kwargs


@pytest.fixture
def busy(site: Site, task: MakeTask) -> Pool:
    """A pool whose definition says unique, and whose jobs wait."""
    gate = site.gate()
    pool = task(gate, worker_nums=1, unique=True)
    pool.add("the worker's")
    gate.entered()
    return pool


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call(), call()),
        (call("ada"), call("ada")),
        (call("ada", [1, {"a": None}]), call("ada", [1, {"a": None}])),
        (call(a=1, b=2), call(b=2, a=1)),
        (call({"x": 1, "y": 2}), call({"y": 2, "x": 1})),
        (call("é"), call("\u00e9")),
    ],
)
def test_equal_arguments_are_refused_with_the_id_of_the_one_there_is(
    busy: Pool, one: Call, other: Call
) -> None:
    job_id = busy.add(*one[0], **one[1])

    with pytest.raises(DuplicateJob) as error:
        busy.add(*other[0], **other[1])

    assert error.value.job_id == job_id
    assert str(error.value) == f'"job" has a job like this already, {job_id}, which has not ended.'
    assert isinstance(error.value, ValueError)
    assert (len(busy.jobs), busy.metrics()["refused"], busy.metrics()["added"]) == (2, 1, 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call("ada"), call("bob")),
        (call("ada"), call(name="ada")),
        (call("1"), call(1)),
        (call(1), call(True)),
        (call(None), call()),
        (call([1, 2]), call([2, 1])),
        (call("ada", "bob"), call(["ada", "bob"])),
    ],
)
def test_other_arguments_are_not(busy: Pool, one: Call, other: Call) -> None:
    busy.add(*one[0], **one[1])

    assert busy.add(*other[0], **other[1])


@pytest.mark.kinds("thread")  # other kinds refuse such arguments
@pytest.mark.parametrize(
    "argument",
    [float("nan"), float("inf"), b"x", {1, 2}, datetime.date(2026, 1, 1), {1: "one"}, object(), lambda: None],
    ids=lambda one: type(one).__name__,
)
def test_arguments_that_can_not_be_compared_need_a_key(busy: Pool, argument: object) -> None:
    with pytest.raises(TypeError) as error:
        busy.add("ada", argument)

    assert "can't be compared" in str(error.value)
    assert 'pool.using(unique="…")' in str(error.value)
    assert len(busy.jobs) == 1
    assert busy.using(unique="a key").add("ada", argument)


@pytest.mark.kinds("thread")  # other kinds refuse such arguments
def test_a_value_inside_itself_needs_a_key_too(busy: Pool) -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)

    with pytest.raises(TypeError, match="can't be compared"):
        busy.add(cyclic)


def test_a_definition_that_does_not_say_unique_takes_equal_jobs(task: MakeTask) -> None:
    pool = task(lambda job_id, name: None)
    pool.pause()

    assert pool.add("ada") != pool.add("ada")


def test_a_key_is_compared_instead_of_the_arguments(busy: Pool) -> None:
    first = busy.using(unique="ada").add(1)
    busy.using(unique="bob").add(1)

    with pytest.raises(DuplicateJob) as error:
        busy.using(unique="ada").add(2)

    assert error.value.job_id == first


def test_a_key_works_where_the_definition_says_nothing(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), worker_nums=1)
    first = pool.using(unique="ada").add()
    pool.add()

    with pytest.raises(DuplicateJob) as error:
        pool.using(unique="ada").add()

    assert error.value.job_id == first


def test_a_key_is_never_equal_to_arguments(busy: Pool) -> None:
    busy.add("ada")

    for key in ("ada", '[["ada"],{}]', 'key [["ada"],{}]'):
        assert busy.using(unique=key).add("ada")


def test_keys_belong_to_a_task(task: MakeTask) -> None:
    one, other = task(lambda job_id: None, "one"), task(lambda job_id: None, "other")
    one.pause(), other.pause()

    assert one.using(unique="ada").add() != other.using(unique="ada").add()


# Release


def returns(pool: Pool, job_id: int, go: threading.Event) -> None:
    go.set()


def cancel(pool: Pool, job_id: int, go: threading.Event) -> None:
    pool.cancel(job_id)


ENDS: dict[str, Callable[[Pool, int, threading.Event], None]] = {
    "returns": returns,
    "raises": returns,
    "gives a result that is kept": returns,
    "is cancelled": cancel,
    "times out": lambda pool, job_id, go: None,
}


@pytest.mark.parametrize("retention", [0, 60])
@pytest.mark.parametrize("how", ENDS)
def test_each_kind_of_end_releases_the_key(task: MakeTask, how: str, retention: float) -> None:
    go, entered = threading.Event(), threading.Event()

    def handler(job_id: int, name: str) -> None:
        entered.set()
        assert go.wait(SECONDS)
        if how == "raises":
            raise ValueError

    pool = task(
        handler, worker_nums=3, unique=True, retention=retention, timeout=0.2 if how == "times out" else 10
    )
    job_id = pool.add("ada")
    assert entered.wait(SECONDS)
    with pytest.raises(DuplicateJob):
        pool.add("ada")

    ENDS[how](pool, job_id, go)

    until(lambda: job_id not in pool.jobs, "the end")
    again = pool.add("ada")
    assert again != job_id
    go.set()


def test_a_waiting_job_that_is_cancelled_or_purged_releases_its_key(busy: Pool) -> None:
    busy.cancel(busy.add("ada"))
    busy.add("ada")
    assert busy.purge() == 1

    assert busy.add("ada")


def test_a_job_between_two_runs_still_holds_its_key(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler, unique=True, attempts=1, attempt_after=60_000)
    job_id = pool.add()
    until(lambda: pool.get(job_id).due_at, "the failed run")

    with pytest.raises(DuplicateJob):
        pool.add()

    pool.cancel(job_id)
    assert pool.add()


def test_a_delayed_job_holds_its_key(task: MakeTask) -> None:
    pool = task(lambda job_id: None, unique=True)
    pool.using(run_after=60).add()

    with pytest.raises(DuplicateJob):
        pool.add()


def test_a_refused_job_leaves_the_key_with_its_holder(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, unique=True)
    job_id = pool.add("ada")
    gate.entered()
    for _ in range(2):
        with pytest.raises(DuplicateJob):
            pool.add("ada")

    gate.open()

    pool.wait(job_id, SECONDS)
    assert pool.wait(pool.add("ada"), SECONDS).status == "SUCCESS"


def test_a_job_may_add_its_like_only_after_its_end(task: MakeTask, notes: Notes) -> None:
    pools: list[Pool] = []

    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        with pytest.raises(DuplicateJob):
            pools[0].add()
        return "done"

    added: list[int] = []
    notes.also["success"] = lambda job_id, _: added.append(pools[0].add()) if not added else None
    pools.append(task(handler, unique=True, event=notes.events("success")))

    assert pools[0].wait(pools[0].add(), SECONDS).response == "done"
    until(lambda: added, "the success event to add another")
    assert pools[0].wait(added[0], SECONDS).response == "done"


def test_of_many_who_add_the_same_at_once_one_succeeds(site: Site, task: MakeTask) -> None:
    pool = task(site.gate(), unique=True)
    start, ids, twins = threading.Barrier(8), [], []

    def add() -> None:
        start.wait(SECONDS)
        try:
            ids.append(pool.add("ada"))
        except DuplicateJob as error:
            twins.append(error.job_id)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)

    assert len(ids) == 1
    assert twins == ids * 7


def test_process_answers_0_for_a_duplicate(busy: Pool) -> None:
    assert Process("tasks.job.add", "ada") > 0

    assert Process("tasks.job.add", "ada") == 0


# Transactions


@pytest.mark.django_db(transaction=True)
def test_a_key_is_held_from_the_add_on_and_released_by_a_rollback(busy: Pool) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        job_id = busy.add("ada")
        with pytest.raises(DuplicateJob) as error:
            busy.add("ada")
        assert error.value.job_id == job_id
        raise ZeroDivisionError

    assert busy.add("ada")


@pytest.mark.django_db(transaction=True)
def test_a_refusal_does_not_break_the_callers_transaction(busy: Pool) -> None:
    with transaction.atomic():
        first = busy.add("ada")
        with pytest.raises(DuplicateJob):
            busy.add("ada")
        second = busy.add("bob")

    assert {first, second} <= set(busy.jobs)
