"""API: the inline engine and `inline_tasks`. Each job runs at `add`, in the caller's thread and transaction."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from tests.conformance.conftest import Notes
from tests.conftest import SECONDS, Site
from yao_tasks import Process, current_job
from yao_tasks.errors import BadJobId, JobNotFound
from yao_tasks.pools import Pool
from yao_tasks.testing import inline_tasks

InlineTask = Callable[..., Pool]


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("yao_tasks")]


@pytest.fixture(params=["settings", "definition", "inline_tasks"])
def inline(request: pytest.FixtureRequest, site: Site, settings: Any) -> Any:
    """Make a task that runs inline, by each of the ways to say so; failures are kept as FAILURE."""
    if request.param == "settings":
        settings.YAO_TASKS = {**settings.YAO_TASKS, "ENGINE": "inline"}
    context = inline_tasks(raise_errors=False)
    entered = []

    def make(handler: Callable[..., Any], task: str = "job", **keys: Any) -> Pool:
        if request.param == "definition":
            keys["engine"] = "inline"
        pool = site.task(task, handler, **keys)
        if request.param == "inline_tasks" and not entered:
            entered.append(context.__enter__())
        return pool

    yield make
    if entered:
        context.__exit__(None, None, None)


def test_a_job_has_ended_when_add_returns(inline: InlineTask) -> None:
    threads: list[threading.Thread] = []

    def handler(job_id: int, number: int, *, factor: int) -> int:
        threads.append(threading.current_thread())
        return number * factor

    pool = inline(handler)

    info = pool.get(pool.add(6, factor=7))

    assert (info.status, info.response, info.attempt) == ("SUCCESS", 42, 1)
    assert threads == [threading.current_thread()]
    assert (dict(pool.jobs), our_threads()) == ({}, [])


def test_wait_answers_at_once(inline: InlineTask) -> None:
    pool = inline(lambda job_id: "result")

    assert pool.wait(pool.add(), 0).response == "result"


def test_events_come_in_order_in_the_callers_thread(inline: InlineTask, notes: Notes) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(1, 2, "half")

    pool = inline(handler, event=notes.events())

    job_id = pool.add()

    assert notes.names(job_id) == ["add", "progress", "success"]
    assert {note.thread for note in notes.all} == {threading.current_thread()}
    assert current_job() is None


def test_a_failure_is_kept_and_its_retries_follow_without_waiting(inline: InlineTask, notes: Notes) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("it failed")

    pool = inline(handler, attempts=3, attempt_after=60_000, event=notes.events())

    info = pool.get(pool.add())

    assert (info.status, info.attempt, info.response) == ("FAILURE", 4, "it failed")
    assert notes.names(info.id) == ["add", "error"]


def test_a_job_that_succeeds_at_last_is_a_success(inline: InlineTask) -> None:
    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        if job.attempt < 3:
            raise ValueError
        return "at last"

    pool = inline(handler, attempts=3)

    assert pool.get(pool.add()).response == "at last"


def test_a_handler_may_add_jobs(inline: InlineTask) -> None:
    def handler(job_id: int, depth: int) -> list[int]:
        return [depth, *(pool.get(pool.add(depth - 1)).response if depth else [])]

    pool = inline(handler, worker_nums=1, size=1)

    assert pool.get(pool.add(3)).response == [3, 2, 1, 0]


def test_an_event_may_add_jobs(inline: InlineTask, notes: Notes) -> None:
    notes.also["success"] = lambda job_id, result: result and pool.add(result - 1)
    pool = inline(lambda job_id, number: number, event=notes.events("success"))

    pool.add(3)

    assert [note.values for note in notes.all] == [(3,), (2,), (1,), (0,)]


def test_a_job_may_be_cancelled_while_it_runs(inline: InlineTask) -> None:
    pool = inline(lambda job_id: pool.cancel(job_id))

    info = pool.get(pool.add())

    assert info.error is not None
    assert info.error.kind == "cancelled"


def test_ids_and_arguments_are_as_in_a_real_pool(inline: InlineTask) -> None:
    ids = iter([5, 5, "6"])
    pool = inline(lambda job_id, *args, **kwargs: (job_id, args, kwargs), event={"next": lambda: next(ids)})

    assert pool.get(pool.add(1, two=2)).response == (5, (1,), {"two": 2})
    with pytest.raises(BadJobId, match="Job 5"):
        pool.add()
    with pytest.raises(BadJobId, match="'6'"):
        pool.add()


def test_process_finds_the_inline_engine(inline: InlineTask) -> None:
    inline(lambda job_id: "result")

    job_id = Process("tasks.job.add")

    assert Process("tasks.job.get", job_id)["status"] == "SUCCESS"


def test_what_is_not_json_is_taken_as_a_thread_would_take_it(inline: InlineTask) -> None:
    lock = threading.Lock()
    pool = inline(lambda job_id, given: given is lock)

    assert pool.get(pool.add(lock)).response is True


# inline_tasks


def fail(job_id: int, *args: object) -> None:
    job = current_job()
    assert job is not None
    raise ValueError(f"run {job.attempt}")


def test_inline_tasks_raises_the_last_exception(site: Site) -> None:
    pool = site.task("job", fail, attempts=2)

    with inline_tasks(), pytest.raises(ValueError, match="run 3"):
        pool.add()


def test_inline_tasks_raises_nothing_for_a_retry_that_succeeds(site: Site) -> None:
    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            raise ValueError
        return "at last"

    pool = site.task("job", handler, attempts=1)

    with inline_tasks():
        assert pool.get(pool.add()).response == "at last"


def test_inline_tasks_raises_out_of_nested_adds(site: Site) -> None:
    inner = site.task("inner", fail)
    outer = site.task("outer", lambda job_id: inner.add())

    with inline_tasks(), pytest.raises(ValueError, match="run 1"):
        outer.add()


def test_inline_tasks_with_raise_errors_false_keeps_the_failure(site: Site) -> None:
    pool = site.task("job", fail)

    with inline_tasks(raise_errors=False):
        assert pool.get(pool.add()).response == "run 1"


def test_arguments_are_bound_to_the_handlers_signature(site: Site) -> None:
    pool = site.task("job", lambda job_id, one: None)

    with inline_tasks(), pytest.raises(TypeError):
        pool.add()


def test_inline_tasks_is_a_decorator(site: Site) -> None:
    pool = site.task("job", lambda job_id: "result")

    @inline_tasks()
    def within() -> str:
        return str(pool.get(pool.add()).response)

    assert [within(), within()] == ["result", "result"]


def test_after_inline_tasks_pools_are_the_real_ones_again(site: Site) -> None:
    threads: list[threading.Thread] = []
    pool = site.task("job", lambda job_id: threads.append(threading.current_thread()))
    before = pool.add()
    pool.wait(before, SECONDS)

    with inline_tasks():
        inside = pool.add()
    after = pool.add()
    pool.wait(after, SECONDS)

    assert threads[1] is threading.current_thread()
    assert threading.current_thread() not in (threads[0], threads[2])
    assert pool.get(before).status == "SUCCESS"
    with pytest.raises(JobNotFound):
        pool.get(inside)


def test_inline_tasks_ends_when_its_block_raises(site: Site) -> None:
    pool = site.task("job", fail)

    with pytest.raises(ValueError, match="run 1"), inline_tasks():
        pool.add()

    assert pool.wait(pool.add(), SECONDS).status == "FAILURE"


def test_inline_tasks_holds_for_all_threads(site: Site) -> None:
    ran: list[threading.Thread] = []
    pool = site.task("job", lambda job_id: ran.append(threading.current_thread()))

    with inline_tasks():
        thread = threading.Thread(target=pool.add)
        thread.start()
        thread.join(SECONDS)

    assert ran == [thread]


@pytest.mark.django_db
def test_in_a_test_case_jobs_run_at_add_although_no_commit_comes(site: Site) -> None:
    inside: list[bool] = []
    pool = site.task("job", lambda job_id: inside.append(connection.in_atomic_block))

    with inline_tasks(), transaction.atomic():
        info = pool.get(pool.add())

    assert (info.status, inside) == ("SUCCESS", [True])


@pytest.mark.django_db
def test_a_handler_sees_the_rows_of_the_callers_open_transaction(site: Site) -> None:
    pool = site.task("job", lambda job_id, pk: User.objects.get(pk=pk).username)

    with inline_tasks(), transaction.atomic():
        user = User.objects.create(username="ada")
        assert pool.get(pool.add(user.pk)).response == "ada"


@pytest.mark.django_db
def test_the_callers_connection_is_left_open(site: Site) -> None:
    pool = site.task("job", lambda job_id: connection.cursor().execute("SELECT 1"))

    with inline_tasks():
        before = connection.connection
        pool.add()

    assert connection.connection is before
