"""Groups and batches in memory: many jobs, and what joins them."""

from typing import Any

import pytest

from tests.conftest import SECONDS, Site
from yao_tasks.core.errors import QueueFull
from yao_tasks.pools import Pool, tasks
from yao_tasks.testing import inline_tasks
from yao_tasks.workflows import PREVIOUS, Batch, group


def double(job_id: int, number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number


@pytest.fixture
def doubling(site: Site) -> Pool:
    site.task("total", lambda job_id, what: what)
    site.task("sum", lambda job_id, numbers: sum(numbers))
    return site.task("double", double, size=200_000, worker_nums=4)


def test_a_groups_callback_gets_the_results_in_the_order_of_the_calls(doubling: Pool) -> None:
    flow = group(
        *(tasks["double"].call(number) for number in range(50)), callback=tasks["sum"].call(PREVIOUS)
    )

    done = flow.wait(SECONDS)

    assert (done.status, done.response) == ("SUCCESS", 2 * sum(range(50)))
    assert done.counts["SUCCESS"] == done.total == 50
    assert done.callback is not None
    assert (done.callback.task, done.callback.status) == ("sum", "SUCCESS")
    assert [step.status for step in done.steps] == ["SUCCESS"] * 50


def test_without_a_callback_its_own_result_is_the_list(doubling: Pool) -> None:
    assert group(*(tasks["double"].call(number) for number in (3, 1, 2))).wait(SECONDS).response == [6, 2, 4]


def test_members_may_be_of_several_tasks(doubling: Pool) -> None:
    done = group(
        tasks["double"].call(1), tasks["total"].call("x"), tasks["double"].using(priority=3).call(2)
    ).wait(SECONDS)

    assert done.response == [2, "x", 4]
    assert [step.task for step in done.steps] == ["double", "total", "double"]


def test_a_group_with_a_failure_is_one_and_its_callback_is_not_called(doubling: Pool) -> None:
    done = group(
        tasks["double"].call(1),
        tasks["double"].call(-2),
        tasks["double"].call(3),
        callback=tasks["sum"].call(PREVIOUS),
    ).wait(SECONDS)

    assert (done.status, done.counts["FAILURE"], done.counts["SUCCESS"]) == ("FAILURE", 1, 2)
    assert done.response == "1 of the 3 jobs of the group failed; the first: -2 is negative"
    assert done.callback is not None
    assert done.callback.job_id is None


def test_a_batch_counts_its_jobs_and_calls_back_once_all_have_ended(doubling: Pool) -> None:
    batch = Batch(
        tasks["double"], [(number,) for number in range(-10, 90)], callback=tasks["total"].call(PREVIOUS)
    )

    done = batch.wait(SECONDS)

    assert done.status == "FAILURE"
    assert done.counts == {"WAITING": 0, "RUNNING": 0, "SUCCESS": 90, "FAILURE": 10}
    assert "10 of the 100 jobs of the batch failed; the first: " in done.response
    assert (done.current, done.total, done.steps) == (100, 100, ())
    assert done.callback is not None
    assert done.callback.status == "SUCCESS"
    callback = tasks["total"].get(done.callback.job_id or 0)
    assert callback.response == done.counts


def test_how_far_a_batch_is(site: Site) -> None:
    gate = site.gate()
    site.task("slow", lambda job_id, number: gate(job_id) if number else None, worker_nums=2)
    batch = Batch(tasks["slow"], [(number,) for number in (0, 0, 1, 1, 1)])
    gate.entered(2)

    info = batch.info()

    assert info.counts == {"WAITING": 1, "RUNNING": 2, "SUCCESS": 2, "FAILURE": 0}
    assert (info.status, batch.percent) == ("RUNNING", 40)
    gate.open()
    assert batch.wait(SECONDS).response == {"WAITING": 0, "RUNNING": 0, "SUCCESS": 5, "FAILURE": 0}


def test_a_batch_is_known_after_its_jobs_were_forgotten(site: Site) -> None:
    site.task("short", double, retention=0)

    done = Batch(tasks["short"], [(1,), (-1,)]).wait(SECONDS)

    assert done.counts == {"WAITING": 0, "RUNNING": 0, "SUCCESS": 1, "FAILURE": 1}


def test_a_batch_is_cancelled_with_all_that_has_not_ended(site: Site) -> None:
    gate = site.gate()
    pool = site.task("slow", gate, worker_nums=1)
    batch = Batch(pool, [()] * 5, callback=pool.call())
    gate.entered()

    assert batch.cancel()

    info = batch.wait(SECONDS)
    assert info.error is not None
    assert info.error.kind == "cancelled"
    assert len(pool.jobs) == 0
    assert info.callback is not None
    assert info.callback.job_id is None
    gate.open()


def test_a_batch_of_nothing_has_succeeded(doubling: Pool) -> None:
    done = Batch(tasks["double"], [], callback=tasks["total"].call("none")).wait(SECONDS)

    assert (done.status, done.total, done.percent, done.response) == ("SUCCESS", 0, 100, "none")


@pytest.mark.slow
def test_a_hundred_thousand_jobs_are_one_batch(doubling: Pool) -> None:
    batch = Batch(
        tasks["double"], [(number,) for number in range(100_000)], callback=tasks["total"].call(PREVIOUS)
    )

    done = batch.wait(120)

    assert done.response == {"WAITING": 0, "RUNNING": 0, "SUCCESS": 100_000, "FAILURE": 0}


def test_inline_they_have_ended_when_they_are_back(doubling: Pool) -> None:
    with inline_tasks():
        flow = group(tasks["double"].call(1), tasks["double"].call(2), callback=tasks["sum"].call(PREVIOUS))
        assert flow.info().response == 6
    with inline_tasks(raise_errors=False):
        assert Batch(tasks["double"], [(1,), (-1,)]).status == "FAILURE"


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        (lambda pool: group(), ValueError, "group: give at least one member"),
        (lambda pool: group(pool.call(PREVIOUS)), ValueError, "member 1 asks for PREVIOUS"),
        (lambda pool: group(pool.call(1), callback="x"), TypeError, 'group: callback is "x"'),
        (lambda pool: Batch("double", [(1,)]), TypeError, 'Batch: "double" is no pool'),
        (lambda pool: Batch(pool, [1]), TypeError, "Batch: element 0 is 1. Give a tuple"),
        (lambda pool: Batch(pool, [(PREVIOUS,)]), ValueError, "element 0 asks for PREVIOUS"),
        (lambda pool: Batch(pool.using(database="other"), [(1,)]), ValueError, "database='other'"),
    ],
    ids=["no member", "previous", "callback", "no pool", "no tuple", "previous in a batch", "database"],
)
def test_what_is_none_is_refused_before_anything_has_started(
    doubling: Pool, start: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        start(doubling)

    assert doubling.metrics()["added"] == 0


def test_more_than_there_is_place_for_are_refused_as_a_whole(site: Site) -> None:
    pool = site.task("narrow", lambda job_id, number: None, size=3, worker_nums=1)
    site.task("other", lambda job_id: None)
    pool.pause()

    with pytest.raises(QueueFull):
        Batch(pool, [(number,) for number in range(4)])
    with pytest.raises(QueueFull):
        group(tasks["other"].call(), *(pool.call(number) for number in range(4)))

    assert (pool.metrics()["waiting"], tasks["other"].metrics()["added"]) == (0, 0)
