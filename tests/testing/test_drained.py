"""`drained_tasks`: real threads, which have come to rest before the test is over."""

import sqlite3
import threading
import time
import unittest
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.db.backends.signals import connection_created

from tests.conftest import SECONDS, Site, until
from tests.testing.conftest import run_case, told
from yao_tasks.errors import JobNotFound
from yao_tasks.testing import drained_tasks, inline_tasks


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("yao_tasks")]


def test_all_jobs_have_ended_when_it_is_left(site: Site) -> None:
    ran: list[int] = []

    def handler(job_id: int, number: int) -> None:
        time.sleep(0.002)
        ran.append(number)

    pool = site.task("job", handler, size=1000)

    with drained_tasks():
        pool.add_many([(number,) for number in range(50)])

    assert sorted(ran) == list(range(50))
    assert our_threads() == []


def test_jobs_run_in_threads_whatever_the_settings_engine_is(site: Site, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "ENGINE": "inline"}
    ran: list[threading.Thread] = []
    pool = site.task("job", lambda job_id: ran.append(threading.current_thread()))

    with drained_tasks():
        pool.add()

    assert len(ran) == 1
    assert ran[0] is not threading.current_thread()


def test_retries_and_short_delays_are_waited_for(site: Site) -> None:
    runs: list[int] = []

    def handler(job_id: int) -> None:
        runs.append(job_id)
        raise ValueError

    pool = site.task("job", handler, attempts=2, attempt_after=20)

    with drained_tasks():
        pool.using(run_after=0.02).add()

    assert len(runs) == 3


def test_jobs_that_handlers_and_events_add_are_waited_for(site: Site) -> None:
    ended: list[str] = []
    last = site.task("last", lambda job_id: ended.append("last"))
    middle = site.task(
        "middle",
        lambda job_id: None,
        event={"success": lambda job_id, _: (time.sleep(0.02), ended.append("middle"), last.add())},
    )
    first = site.task("first", lambda job_id: middle.add())

    with drained_tasks():
        first.add()

    assert ended == ["middle", "last"]


def test_an_event_of_a_cancelled_job_is_waited_for(site: Site) -> None:
    ended: list[str] = []
    other = site.task("other", lambda job_id: ended.append("other"))

    def error(job_id: int, exception: Exception) -> None:
        time.sleep(0.02)
        other.add()

    pool = site.task("job", lambda job_id: None, event={"error": error})

    with drained_tasks():
        pool.using(run_after=60).add()
        pool.purge(delayed=True)

    assert ended == ["other"]


def test_what_is_due_only_later_is_cancelled_without_a_wait(site: Site) -> None:
    failed: list[str] = []
    pool = site.task(
        "job", lambda job_id: None, event={"error": lambda _, error: failed.append(type(error).__name__)}
    )
    began = time.monotonic()

    with drained_tasks(timeout=3_600):
        pool.using(run_after=86_400).add()

    assert failed == ["JobCancelled"]
    assert time.monotonic() - began < SECONDS


def test_jobs_of_a_paused_pool_are_cancelled(site: Site) -> None:
    ran: list[int] = []
    pool = site.task("job", ran.append)

    with drained_tasks(timeout=3_600):
        pool.pause()
        pool.add()

    assert ran == []


def test_a_job_that_does_not_end_is_named(site: Site) -> None:
    gate = site.gate()
    pool = site.task("slow_task", gate)

    with pytest.raises(TimeoutError) as caught, drained_tasks(timeout=0.1):
        job_id = pool.add()
        gate.entered()
    gate.open()

    assert f'after 0.1 s there were still of "slow_task": {job_id}' in str(caught.value)


def test_a_thread_that_does_not_come_back_is_named(site: Site) -> None:
    gate = site.gate()
    pool = site.task("slow_task", gate)

    with pytest.raises(TimeoutError, match='the thread "slow_task-1"'), drained_tasks(timeout=0.1):
        job_id = pool.add()
        gate.entered()
        pool.cancel(job_id)
    gate.open()


def test_a_thread_of_a_cancelled_job_is_waited_for(site: Site) -> None:
    gate = site.gate()
    pool = site.task("job", gate)

    with drained_tasks():
        job_id = pool.add()
        gate.entered()
        pool.cancel(job_id)
        threading.Timer(0.05, gate.open).start()

    assert our_threads() == []


def test_what_the_test_raises_comes_out(site: Site) -> None:
    gate = site.gate()
    pool = site.task("job", gate)

    with pytest.raises(ZeroDivisionError), drained_tasks(timeout=0.05):
        pool.add()
        raise ZeroDivisionError
    gate.open()


def test_the_pools_from_before_are_back_and_know_nothing_of_it(site: Site) -> None:
    pool = site.task("job", lambda job_id: "result")
    before = pool.add()
    pool.wait(before, SECONDS)

    with drained_tasks():
        inside = pool.add()
        with pytest.raises(JobNotFound):
            pool.get(before)

    assert (pool.get(before).status, pool.wait(pool.add(), SECONDS).response) == ("SUCCESS", "result")
    with pytest.raises(JobNotFound):
        pool.get(inside)


def test_a_pool_that_the_test_closed_is_fresh_in_the_next(site: Site) -> None:
    pool = site.task("job", lambda job_id: None)

    for _ in range(2):
        with drained_tasks():
            pool.add()
            assert pool.close(SECONDS) == []


def test_inside_inline_tasks_it_is_real_and_inline_again_after(site: Site) -> None:
    pool = site.task("job", lambda job_id: threading.current_thread())

    with inline_tasks():
        with drained_tasks():
            inside = pool.wait(pool.add(), SECONDS).response
        after = pool.get(pool.add()).response

    assert inside is not threading.current_thread()
    assert after is threading.current_thread()


@pytest.mark.django_db
def test_inside_a_transaction_it_is_refused_with_a_sentence(site: Site) -> None:
    with pytest.raises(RuntimeError, match="TransactionTestCase"), drained_tasks():
        raise AssertionError("the test ran")


def open_ones(created: list[Any]) -> list[Any]:
    """Of these connections, those that can still be used."""
    left = []
    for connection in created:
        try:
            connection.total_changes  # noqa: B018 - a closed one raises
            left.append(connection)
        except sqlite3.ProgrammingError:
            pass
    return left


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_threads_leave_no_connection_open(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for alias in ("default", "other"):
        monkeypatch.setitem(connections[alias].settings_dict, "CONN_MAX_AGE", None)
    main, created = threading.current_thread(), []

    def note(connection: Any, **_: Any) -> None:
        if threading.current_thread() is not main:
            created.append(connection.connection)

    connection_created.connect(note)
    pool = site.task(
        "job",
        lambda job_id: [User.objects.using(alias).count() for alias in ("default", "other")],
        event={
            "success": lambda job_id, _: User.objects.count(),
            "error": lambda job_id, _: User.objects.count(),
        },
    )
    try:
        with drained_tasks():
            pool.cancel(pool.using(run_after=60).add())
            pool.add_many([()] * 4)
    finally:
        connection_created.disconnect(note)

    assert len(created) >= 3
    assert open_ones(created) == []


@pytest.mark.django_db(transaction=True)
def test_a_job_added_in_a_transaction_runs_after_its_commit(site: Site) -> None:
    names: list[str] = []
    pool = site.task("job", lambda job_id, pk: names.append(User.objects.get(pk=pk).username))

    with drained_tasks(), transaction.atomic():
        pool.add(User.objects.create(username="ada").pk)

    assert names == ["ada"]


def test_a_job_left_running_is_an_error_of_its_test_and_the_others_go_on(site: Site) -> None:
    gate = site.gate()
    pool = site.task("slow_task", gate)

    @drained_tasks(timeout=0.1)
    class Case(unittest.TestCase):
        def test_one(self) -> None:
            pool.add()

        def test_two(self) -> None:
            pass

    result = run_case(Case)
    gate.open()

    assert (result.testsRun, len(result.errors)) == (2, 1)
    assert 'of "slow_task"' in told(result)
    until(lambda: not our_threads(), "threads to end")
