"""What a project gives by mistake is refused at once, with a sentence that says what, where and what to do."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site
from yao_tasks import Process, boot, errors, tasks
from yao_tasks.errors import BadJobId, JobNotFound, TaskNotFound, TasksError
from yao_tasks.pools import Pool

NO_IDS = ["12", 12.0, None, True, [12], b"12"]
NO_ONES_IDS = [0, -1, 2**53, 10**30]


@pytest.fixture
def pool(task: MakeTask) -> Pool:
    return task(lambda job_id: None)


ASKING: dict[str, Callable[[Pool, Any], object]] = {
    "get": lambda pool, job_id: pool.get(job_id),
    "wait": lambda pool, job_id: pool.wait(job_id, 1),
    "progress": lambda pool, job_id: pool.progress(job_id, 1, 2),
    "cancel": lambda pool, job_id: pool.cancel(job_id),
    "Process get": lambda pool, job_id: Process("tasks.job.get", job_id),
    "Process cancel": lambda pool, job_id: Process("tasks.job.cancel", job_id),
}


@pytest.mark.parametrize("job_id", NO_IDS, ids=repr)
@pytest.mark.parametrize("ask", ASKING)
def test_what_is_no_whole_number_is_no_job_id(pool: Pool, ask: str, job_id: object) -> None:
    with pytest.raises(BadJobId) as error:
        ASKING[ask](pool, job_id)

    assert str(error.value) == f"{job_id!r} is no job id. Give the whole number that add returned."
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize("job_id", NO_ONES_IDS)
@pytest.mark.parametrize("ask", ["get", "wait", "progress", "Process get"])
def test_a_number_that_no_job_can_have_is_not_found(pool: Pool, ask: str, job_id: int) -> None:
    with pytest.raises(JobNotFound, match=f'"job" has no job {job_id}'):
        ASKING[ask](pool, job_id)


@pytest.mark.parametrize("job_id", NO_ONES_IDS)
@pytest.mark.parametrize("ask", ["cancel", "Process cancel"])
def test_cancel_never_raises_for_an_id_that_is_not_known(pool: Pool, ask: str, job_id: int) -> None:
    assert ASKING[ask](pool, job_id) is False


class Int(int):
    """A number with code of its own."""


@pytest.mark.parametrize("answer", ["7", 7.0, True, False, None, 0, -1, 2**53, Int(7), [7]], ids=repr)
def test_what_the_next_event_answers_must_be_an_id(task: MakeTask, answer: object) -> None:
    pool = task(lambda job_id: None, event={"next": lambda: answer})

    with pytest.raises(BadJobId) as error:
        pool.add()

    assert str(error.value) == (
        f'event.next of "job" returned {answer!r}. '
        "It must return a whole number from 1 to 2**53 - 1 that no job of this task has."
    )
    assert len(pool.jobs) == 0


@pytest.mark.parametrize("answer", [1, 2**53 - 1])
def test_the_first_and_the_last_number_are_ids(task: MakeTask, answer: int) -> None:
    pool = task(lambda job_id: job_id, event={"next": lambda: answer})

    assert pool.wait(pool.add(), SECONDS).response == answer


@pytest.mark.parametrize("state", ["waiting", "running", "succeeded", "cancelled"])
def test_the_id_of_a_job_that_is_known_is_taken(site: Site, task: MakeTask, state: str) -> None:
    def ids() -> Iterator[int]:
        if state == "waiting":
            yield 1
        yield from [7, 7, 8]

    gate, source = site.gate(), ids()
    pool = task(gate, worker_nums=1, event={"next": lambda: next(source)})
    if state == "waiting":
        pool.add()
    pool.add()
    gate.entered()
    if state == "cancelled":
        pool.cancel(7)
    if state == "succeeded":
        gate.open()
        pool.wait(7, SECONDS)

    with pytest.raises(BadJobId) as error:
        pool.add()

    assert str(error.value).startswith('Job 7 of "job" exists already.')
    assert "event.next" in str(error.value)
    assert pool.add() == 8


def test_an_id_may_be_that_of_another_tasks_job(task: MakeTask) -> None:
    one = task(lambda job_id: "one", "one", event={"next": lambda: 7})
    other = task(lambda job_id: "other", "other", event={"next": lambda: 7})

    one.add(), other.add()

    assert (one.wait(7, SECONDS).response, other.wait(7, SECONDS).response) == ("one", "other")


@pytest.mark.parametrize(
    ("options", "error_type", "text"),
    [
        ({"on_comit": True}, TypeError, "using() has no option on_comit. Did you mean on_commit?"),
        ({"nonsense": 1}, TypeError, "using() has no option nonsense. It takes run_after, priority, "),
        ({"on_commit": 1}, TypeError, "using(on_commit=1): give True or False."),
        ({"on_commit": None}, TypeError, "using(on_commit=None): give True or False."),
        ({"database": 1}, TypeError, "using(database=1): give the alias of a database"),
        ({"database": "nope"}, ValueError, "using(database='nope'): settings.DATABASES has default, other."),
        ({"priority": 101}, ValueError, "using(priority=101): give a whole number from -100 to 100."),
        ({"priority": "high"}, TypeError, "using(priority='high'): give a whole number from -100 to 100."),
        (
            {"run_after": -1},
            ValueError,
            "using(run_after=-1): give seconds, a timedelta or an aware datetime",
        ),
        (
            {"run_after": "5"},
            TypeError,
            "using(run_after='5'): give seconds, a timedelta or an aware datetime",
        ),
        (
            {"run_after": datetime(2026, 1, 1)},
            ValueError,
            "using(run_after=datetime.datetime(2026, 1, 1, 0, 0)): a naive",
        ),
        ({"timeout": 0}, ValueError, "using(timeout=0): give seconds above 0."),
        ({"timeout": float("nan")}, ValueError, "using(timeout=NaN): give seconds above 0"),
        ({"expires": True}, TypeError, "using(expires=True): give seconds, 0 or more."),
        ({"unique": 7}, TypeError, "using(unique=7): give a text"),
    ],
)
def test_options_are_checked(
    pool: Pool, options: dict[str, object], error_type: type[Exception], text: str
) -> None:
    with pytest.raises(error_type) as error:
        pool.using(**options)

    assert str(error.value).startswith(text)


def test_no_options_are_no_fault(pool: Pool) -> None:
    assert pool.wait(pool.using().add(), SECONDS).status == "SUCCESS"


def test_an_unknown_task_is_told_with_the_nearest_name(task: MakeTask) -> None:
    task(lambda job_id: None, "welcome_email")

    with pytest.raises(TaskNotFound) as error:
        tasks["welcom_email"]

    assert str(error.value) == 'No task is named "welcom_email". Did you mean "welcome_email"?'
    assert isinstance(error.value, KeyError)


@pytest.mark.parametrize("name", [None, 5, ("a",), ""])
def test_what_is_no_name_of_a_task_is_not_found(task: MakeTask, name: Any) -> None:
    task(lambda job_id: None)

    with pytest.raises(TaskNotFound):
        tasks[name]
    assert name not in tasks
    assert tasks.get(name) is None


def test_a_task_whose_file_is_gone_is_told_at_the_next_call(task: MakeTask) -> None:
    kept = task(lambda job_id: None, "kept")
    kept.config.path.unlink()
    boot.reset()

    with pytest.raises(TaskNotFound, match='No task is named "kept"'):
        kept.add()


def test_all_errors_have_one_parent() -> None:
    for name in errors.__all__:
        error = getattr(errors, name)
        assert issubclass(error, TasksError)
        assert error.__module__ == "yao_tasks.errors"
        assert error.__doc__
