"""`captured_tasks`: jobs are written down at `add`, and run when the test says so."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from tests.conftest import SECONDS, Site
from yao_tasks import Process, current_job
from yao_tasks.errors import DuplicateJob, JobNotFound, QueueFull, TaskNotFound
from yao_tasks.pools import Pool
from yao_tasks.testing import CapturedTasks, captured_tasks


class Greeting:
    """A handler that writes down whom it greeted, and fails for those named."""

    def __init__(self) -> None:
        self.greeted: list[str] = []
        self.threads: set[threading.Thread] = set()
        self.failing: set[str] = set()
        self.inside: Callable[[str], Any] = lambda address: None

    def __call__(self, job_id: int, address: str, *, name: str = "") -> str:
        self.threads.add(threading.current_thread())
        self.inside(address)
        if address in self.failing:
            raise ValueError(f"no such address: {address}")
        self.greeted.append(address)
        return address.upper()


@pytest.fixture
def greeting() -> Greeting:
    return Greeting()


@pytest.fixture
def pool(site: Site, greeting: Greeting) -> Pool:
    site.task("other_task", lambda job_id: None)
    return site.task("welcome_email", greeting)


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("yao_tasks")]


# Collecting


def test_a_job_is_written_down_and_does_not_run(pool: Pool, greeting: Greeting) -> None:
    with captured_tasks() as jobs:
        job_id = pool.using(run_after=60, priority=3).add("ada@example.org", name="Ada")

        (job,) = jobs
        assert (job.id, job.task, job.args) == (job_id, "welcome_email", ("ada@example.org",))
        assert (job.kwargs, job.options) == ({"name": "Ada"}, {"run_after": 60.0, "priority": 3})
        assert pool.get(job_id).status == "WAITING"
        assert (greeting.greeted, our_threads()) == ([], [])


@pytest.mark.django_db
def test_a_job_counts_before_the_commit_and_after_a_rollback(pool: Pool) -> None:
    with captured_tasks() as jobs:
        with transaction.atomic():
            pool.add("committed")
            inside = len(jobs)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            pool.add("rolled back")
            raise ZeroDivisionError

        assert (inside, len(jobs), len(jobs.run_pending())) == (1, 2, 2)


def test_each_way_to_add_is_seen(pool: Pool) -> None:
    with captured_tasks() as jobs:
        pool.add_many([("a",), ("b",)])
        Process("tasks.welcome_email.add", "c")
        asyncio.run(pool.aadd("d"))
        thread = threading.Thread(target=pool.add, args=("e",))
        thread.start()
        thread.join(SECONDS)

        assert [job.args[0] for job in jobs] == ["a", "b", "c", "d", "e"]


def test_the_recorder_is_a_sequence_that_filters_by_task(pool: Pool) -> None:
    with captured_tasks() as jobs:
        assert not jobs
        pool.add("a")
        pool.add("b")

        assert (len(jobs), jobs[1].args, [job.args for job in jobs[:1]]) == (2, ("b",), [("a",)])
        assert ([job.args for job in jobs.of("welcome_email")], jobs.of("other_task")) == (
            [("a",), ("b",)],
            [],
        )
        with pytest.raises(TaskNotFound, match='Did you mean "welcome_email"'):
            jobs.of("welcom_email")


def test_arguments_are_bound_to_the_handlers_signature(pool: Pool) -> None:
    with captured_tasks() as jobs:
        with pytest.raises(
            TypeError, match=r"\(job_id: int, address: str, \*, name: str = ''\) -> str: missing"
        ):
            pool.add(name="Ada")

        assert len(jobs) == 0


def test_what_a_real_pool_refuses_is_refused(site: Site, greeting: Greeting) -> None:
    pool = site.task(
        "job", greeting, worker_nums=1, size=1, unique=True, overflow="wait", overflow_wait=3_600
    )

    with captured_tasks() as jobs:
        pool.add("a")
        with pytest.raises(DuplicateJob):
            pool.add("a")
        with pytest.raises(TypeError, match="unique"):
            pool.add(object())
        pool.add("b")
        with pytest.raises(QueueFull):
            pool.add("c")

        assert [job.args[0] for job in jobs] == ["a", "b"]


def test_afterwards_pools_are_the_real_ones_and_know_nothing_of_it(pool: Pool) -> None:
    with captured_tasks():
        inside = pool.add("a")
    after = pool.add("b")

    assert pool.wait(after, SECONDS).response == "B"
    with pytest.raises(JobNotFound):
        pool.get(inside)


# Asking


def test_a_job_that_was_added_is_answered(pool: Pool) -> None:
    with captured_tasks() as jobs:
        pool.add("ada@example.org", name="Ada")

        assert jobs.assert_added("welcome_email", "ada@example.org", name="Ada") is jobs[0]


def fails(ask: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        ask(*args, **kwargs)
    return str(caught.value)


def test_a_job_that_was_added_otherwise_is_shown(pool: Pool) -> None:
    with captured_tasks() as jobs:
        pool.using(run_after=5).add("bob@example.org")

        assert fails(jobs.assert_added, "welcome_email", "ada@example.org", name="Ada") == (
            "No job was added by tasks[\"welcome_email\"].add('ada@example.org', name='Ada').\n"
            "Of this task were added:\n"
            "  tasks[\"welcome_email\"].using(run_after=5.0).add('bob@example.org')"
        )


def test_jobs_of_other_tasks_are_shown_where_there_are_no_others(pool: Pool) -> None:
    with captured_tasks() as jobs:
        nothing = fails(jobs.assert_added, "other_task")
        pool.add("bob")
        others = fails(jobs.assert_added, "other_task")

    assert "No job was added at all." in nothing
    assert "None of this task was added. Added were:\n  tasks[\"welcome_email\"].add('bob')" in others


def test_a_long_list_is_cut(pool: Pool) -> None:
    with captured_tasks() as jobs:
        pool.add_many([(f"a{number}",) for number in range(30)])

        assert fails(jobs.assert_added, "welcome_email", "b").endswith("  … and 10 more")


def test_asking_for_a_task_that_is_none_names_the_nearest(pool: Pool) -> None:
    with captured_tasks() as jobs:
        for ask in (jobs.assert_added, jobs.assert_not_added):
            with pytest.raises(TaskNotFound, match='Did you mean "welcome_email"'):
                ask("welcom_email", "ada")


def test_what_was_not_added_passes_and_what_was_is_shown(pool: Pool) -> None:
    with captured_tasks() as jobs:
        jobs.assert_not_added("welcome_email")
        pool.add("ada")
        jobs.assert_not_added("welcome_email", "bob")
        jobs.assert_not_added("other_task")

        shown = "Jobs were added all the same:\n  tasks[\"welcome_email\"].add('ada')"
        assert fails(jobs.assert_not_added, "welcome_email") == shown
        assert fails(jobs.assert_not_added, "welcome_email", "ada") == shown


# Running


def test_pending_jobs_run_in_order_in_the_callers_thread(pool: Pool, greeting: Greeting) -> None:
    with captured_tasks() as jobs:
        pool.using(run_after=3_600).add("a")
        pool.using(priority=100).add("b")

        assert [info.response for info in jobs.run_pending()] == ["A", "B"]
        assert (greeting.greeted, greeting.threads) == (["a", "b"], {threading.current_thread()})
        assert (jobs.run_pending(), len(jobs), our_threads()) == ([], 2, [])


def test_the_first_exception_is_raised_and_the_rest_can_be_run(pool: Pool, greeting: Greeting) -> None:
    greeting.failing = {"b"}

    with captured_tasks() as jobs:
        _, failed, _ = pool.add_many([("a",), ("b",), ("c",)])
        with pytest.raises(ValueError, match="no such address: b"):
            jobs.run_pending()
        before = list(greeting.greeted)

        assert [info.response for info in jobs.run_pending()] == ["C"]
        assert (before, pool.get(failed).status) == (["a"], "FAILURE")


def test_retries_follow_at_once(site: Site) -> None:
    def handler(job_id: int) -> int:
        job = current_job()
        assert job is not None
        if job.attempt < 3:
            raise ValueError
        return job.attempt

    pool = site.task("job", handler, attempts=2, attempt_after=60_000)

    with captured_tasks() as jobs:
        pool.add()

        assert [info.response for info in jobs.run_pending()] == [3]


def test_jobs_added_meanwhile_wait_for_the_next_call(pool: Pool, greeting: Greeting) -> None:
    greeting.inside = lambda address: len(address) < 3 and pool.add(address + "a")

    with captured_tasks() as jobs:
        pool.add("a")

        assert [len(jobs.run_pending()) for _ in range(4)] == [1, 1, 1, 0]
        assert greeting.greeted == ["a", "aa", "aaa"]


def test_a_cancelled_job_is_passed_over(pool: Pool, greeting: Greeting) -> None:
    with captured_tasks() as jobs:
        cancelled = pool.add("a")
        pool.add("b")
        pool.cancel(cancelled)

        assert [info.response for info in jobs.run_pending()] == ["B"]
        assert (pool.get(cancelled).status, greeting.greeted) == ("FAILURE", ["b"])


def test_jobs_of_a_paused_pool_wait_in_their_order(pool: Pool, greeting: Greeting) -> None:
    with captured_tasks() as jobs:
        pool.add_many([("a",), ("b",)])
        pool.pause()
        paused = jobs.run_pending()
        pool.resume()

        assert (paused, greeting.greeted) == ([], [])
        assert [info.response for info in jobs.run_pending()] == ["A", "B"]


def test_a_job_that_is_retried_is_pending_again(pool: Pool, greeting: Greeting) -> None:
    greeting.failing = {"a"}

    with captured_tasks() as jobs:
        job_id = pool.add("a")
        with pytest.raises(ValueError, match="no such address"):
            jobs.run_pending()
        greeting.failing = set()
        pool.retry(job_id)

        assert (len(jobs), [info.attempt for info in jobs.run_pending()]) == (1, [2])


def test_events_come_in_the_callers_thread(site: Site) -> None:
    told: list[tuple[str, threading.Thread]] = []
    events = {
        name: lambda *_, name=name: told.append((name, threading.current_thread()))
        for name in ("add", "success")
    }
    pool = site.task("job", lambda job_id: None, event=events)

    with captured_tasks() as jobs:
        pool.add()
        before = [name for name, _ in told]
        jobs.run_pending()

    assert before == ["add"]
    assert told == [("add", threading.current_thread()), ("success", threading.current_thread())]


def test_whoever_waits_for_a_job_that_has_not_run_is_told(pool: Pool) -> None:
    with captured_tasks() as jobs:
        ids = pool.add_many([("a",)])
        for wait in (
            lambda: pool.wait(ids[0]),
            lambda: next(pool.as_completed(ids)),
            lambda: asyncio.run(pool.await_end(ids[0])),
        ):
            with pytest.raises(RuntimeError, match=r"run_pending\(\)"):
                wait()
        jobs.run_pending()

        assert (pool.wait(ids[0]).response, [info.id for info in pool.as_completed(ids)]) == ("A", ids)


def test_closing_a_pool_with_pending_jobs_does_not_wait(pool: Pool) -> None:
    with captured_tasks():
        job_id = pool.add("a")

        assert pool.close(timeout=3_600) == [job_id]


def test_the_recorder_says_how_many_it_has(pool: Pool) -> None:
    with captured_tasks() as jobs:
        pool.add("a")

    assert (repr(jobs), isinstance(jobs, CapturedTasks)) == ("<1 captured jobs>", True)
