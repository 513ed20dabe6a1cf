"""API: progress. What is taken, what is refused, and whose bar it moves."""

import threading
from decimal import Decimal
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import Progress, current_job
from yao_tasks.core.current import CurrentJob
from yao_tasks.errors import JobNotFound
from yao_tasks.pools import Pool


@pytest.fixture
def running(site: Site, task: MakeTask, notes: Notes) -> tuple[Pool, int]:
    """A pool, and the id of a job that runs in it until the test's end."""
    gate = site.gate()
    pool = task(gate, event=notes.events("progress"))
    job_id = pool.add()
    gate.entered()
    return pool, job_id


def seen(pool: Pool, job_id: int) -> tuple[float, float, str]:
    info = pool.get(job_id)
    return info.current, info.total, info.message


def test_what_is_reported_can_be_read(running: tuple[Pool, int], notes: Notes) -> None:
    pool, job_id = running

    pool.progress(job_id, 3, 10, "rendering")

    assert seen(pool, job_id) == (3, 10, "rendering")
    assert [note.values for note in notes.all] == [(3, 10, "rendering")]


def test_fractions_stay_fractions_and_whole_numbers_whole(running: tuple[Pool, int]) -> None:
    pool, job_id = running

    pool.progress(job_id, 0.25, 1)

    assert [type(value) for value in seen(pool, job_id)] == [float, int, str]


def test_total_and_message_may_be_left_out(running: tuple[Pool, int]) -> None:
    pool, job_id = running

    pool.progress(job_id, 3)

    assert seen(pool, job_id) == (3, 0, "")


def test_each_report_replaces_the_last(running: tuple[Pool, int]) -> None:
    pool, job_id = running
    pool.progress(job_id, 9, 10, "nearly")

    pool.progress(job_id, 1, 2)

    assert seen(pool, job_id) == (1, 2, "")


def test_a_message_is_cut_at_500_characters(running: tuple[Pool, int], notes: Notes) -> None:
    pool, job_id = running

    pool.progress(job_id, 1, 2, "ä" * 500)
    pool.progress(job_id, 1, 2, "ä" * 501)

    assert [len(note.values[2]) for note in notes.all] == [500, 500]
    assert pool.get(job_id).message == "ä" * 500


@pytest.mark.parametrize("value", ["3", None, True, [1], 1j, Decimal(1)], ids=repr)
@pytest.mark.parametrize("name", ["current", "total"])
def test_what_is_no_number_is_a_type_error(
    running: tuple[Pool, int], notes: Notes, name: str, value: Any
) -> None:
    pool, job_id = running
    given = {"current": 1, "total": 2, name: value}

    with pytest.raises(TypeError) as error:
        pool.progress(job_id, given["current"], given["total"])

    assert str(error.value) == f"Progress: {name} is {value!r}. Give a number."
    assert seen(pool, job_id) == (0, 0, "")
    assert notes.all == []


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), float("-inf"), 10**400, 10**5000],
    ids=["nan", "inf", "-inf", "400 digits", "5000 digits"],
)
@pytest.mark.parametrize("name", ["current", "total"])
def test_what_is_no_finite_number_is_a_value_error(
    running: tuple[Pool, int], notes: Notes, name: str, value: float
) -> None:
    pool, job_id = running
    given = {"current": 1, "total": 2, name: value}

    with pytest.raises(ValueError, match=f"Progress: {name} is .*Give a finite number") as error:
        pool.progress(job_id, given["current"], given["total"])

    assert len(str(error.value)) < 200
    assert seen(pool, job_id) == (0, 0, "")
    assert notes.all == []


def test_a_waiting_job_may_be_given_progress_from_outside(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    pool.add()
    gate.entered()
    waiting = pool.add()

    pool.progress(waiting, 1, 10, "queued behind one")

    assert pool.get(waiting).message == "queued behind one"


@pytest.mark.parametrize("how", ["returned", "raised", "cancelled"])
def test_progress_after_the_end_raises_and_changes_nothing(task: MakeTask, notes: Notes, how: str) -> None:
    go = threading.Event()

    def handler(job_id: int) -> None:
        pool.progress(job_id, 1, 2, "half")
        assert go.wait(SECONDS)
        if how == "raised":
            raise ValueError

    pool = task(handler, event=notes.events("progress"))
    job_id = pool.add()
    until(lambda: notes.all, "the first report")
    if how == "cancelled":
        pool.cancel(job_id)
    go.set()
    pool.wait(job_id, SECONDS)

    with pytest.raises(JobNotFound, match="has ended"):
        pool.progress(job_id, 2, 2, "too late")

    assert seen(pool, job_id) == (1, 2, "half")
    assert len(notes.all) == 1


def test_progress_for_an_unknown_job_raises(task: MakeTask) -> None:
    pool = task(lambda job_id: None)

    with pytest.raises(JobNotFound, match='"job" has no job 12'):
        pool.progress(12, 1, 2)


def test_a_cancelled_handler_stops_at_its_next_report(task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()
    stopped: list[BaseException] = []

    def handler(job_id: int) -> None:
        entered.set()
        assert go.wait(SECONDS)
        try:
            pool.progress(job_id, 1, 2)
        except JobNotFound as error:
            stopped.append(error)
            raise

    pool = task(handler)
    job_id = pool.add()
    assert entered.wait(SECONDS)
    pool.cancel(job_id)

    go.set()

    until(lambda: stopped, "the handler to stop")


class Stale:
    """A handler whose first run fails, having left a thread behind that reports within that run's context."""

    def __init__(self) -> None:
        self.first: CurrentJob | None = None
        self.second_runs = threading.Event()
        self.go = threading.Event()

    def __call__(self, job_id: int) -> None:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            self.first = job
            raise ValueError
        job.progress(1, 10, "second run")
        self.second_runs.set()
        assert self.go.wait(SECONDS)


def test_a_retried_jobs_old_run_can_not_move_the_new_runs_bar(task: MakeTask, notes: Notes) -> None:
    stale = Stale()
    pool = task(stale, attempts=1, attempt_after=0, event=notes.events("progress"))
    job_id = pool.add()
    assert stale.second_runs.wait(SECONDS)
    assert stale.first is not None

    with pytest.raises(JobNotFound):
        stale.first.progress(9, 10, "first run")

    # From another process it is on its way.
    until(lambda: seen(pool, job_id) != (0, 0, ""), "a report")
    assert seen(pool, job_id) == (1, 10, "second run")
    assert len(notes.all) == 1
    assert stale.first.cancelled
    stale.go.set()


@pytest.mark.parametrize("through", ["pool", "Progress"])
def test_a_thread_that_an_old_run_left_behind_is_refused_by_every_way(task: MakeTask, through: str) -> None:
    import contextvars

    second_runs, go = threading.Event(), threading.Event()
    contexts: list[contextvars.Context] = []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            contexts.append(contextvars.copy_context())
            raise ValueError
        second_runs.set()
        assert go.wait(SECONDS)

    pool = task(handler, attempts=1, attempt_after=0)
    job_id = pool.add()
    assert second_runs.wait(SECONDS)

    def report() -> None:
        if through == "pool":
            pool.progress(job_id, 9, 10)
        else:
            Progress("tasks.job.process", job_id, 9, 10)

    with pytest.raises(JobNotFound):
        contexts[0].run(report)

    assert seen(pool, job_id) == (0, 0, "")
    go.set()
