"""API: ending. Whatever a handler raises fails its job only, and is told in the log once."""

import logging
from typing import NoReturn

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks.pools import Pool


def fail(job_id: int, *args: object) -> NoReturn:
    raise ValueError("it failed")


def end_after(pool: Pool, job_id: int) -> None:
    """Wait until nothing of the job is under way any more: not its thread, not its events."""
    pool.wait(job_id, SECONDS)
    until(lambda: not pool.metrics()["stuck"], "threads to come back")
    pool.close()


# The first to settle wins


class TwoArguments(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.kinds("thread")  # the exception itself; test_processes.py has the like
@pytest.mark.parametrize(
    "exception",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        MemoryError(),
        StopIteration(),
        RecursionError("too deep"),
        TwoArguments(1, 2),
        Unprintable(),
        BaseException("the base of all"),
        ValueError("a\x00b\ud800"),
    ],
    ids=lambda exception: type(exception).__name__,
)
def test_whatever_a_handler_raises_fails_its_job_only(
    task: MakeTask, kind: str, notes: Notes, exception: BaseException
) -> None:
    def handler(job_id: int, *, fails: bool = False) -> None:
        if fails:
            raise exception

    pool = task(handler, worker_nums=1, event=notes.events("error"))

    info = pool.wait(pool.add(fails=True), SECONDS)
    after = [pool.wait(pool.add(), SECONDS).status for _ in range(3)]
    pool.close()

    assert info.status == "FAILURE"
    assert info.error is not None
    assert info.error.kind == "raised"
    # Python itself lets no coroutine raise a StopIteration.
    kept = (kind, type(exception)) != ("async", StopIteration)
    assert info.error.type.endswith(type(exception).__qualname__ if kept else "RuntimeError")
    assert info.error.message
    assert after == ["SUCCESS"] * 3
    [note] = notes.all
    assert note.values[0] is exception or not kept


def test_system_exit_is_retried_as_any_failure(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise SystemExit

    pool = task(handler, attempts=2, attempt_after=0)

    assert pool.wait(pool.add(), SECONDS).attempt == 3


@pytest.mark.kinds("thread")  # test_processes.py has the like
def test_a_failure_keeps_text_that_names_the_handlers_own_lines_and_not_ours(task: MakeTask) -> None:
    pool = task(fail)

    error = pool.wait(pool.add(), SECONDS).error

    assert error is not None
    assert (error.kind, error.type, error.message) == ("raised", "ValueError", "it failed")
    assert error.traceback.rstrip().endswith("ValueError: it failed")
    assert 'raise ValueError("it failed")' in error.traceback
    assert "yao_tasks/core" not in error.traceback


def test_the_text_of_a_deep_recursion_is_bounded(task: MakeTask) -> None:
    def recurse(job_id: int) -> None:
        recurse(job_id)

    pool = task(recurse)

    error = pool.wait(pool.add(), SECONDS).error

    assert error is not None
    assert error.type == "RecursionError"
    assert len(error.traceback) <= 65 * 1024


# The log


def test_a_final_failure_is_one_error_line_with_exc_info_and_a_retry_a_warning(
    task: MakeTask, caplog: pytest.LogCaptureFixture
) -> None:
    pool = task(fail, "mail.welcome", attempts=1, attempt_after=0)

    with caplog.at_level(logging.DEBUG, "yao_tasks"):
        job_id = pool.add("hunter2")
        pool.wait(job_id, SECONDS)
        pool.close()

    lines = [(record.levelname, record.attempt) for record in caplog.records]  # type: ignore[attr-defined]
    assert lines == [("WARNING", 1), ("ERROR", 2)]
    assert {(record.task, record.job) for record in caplog.records} == {("mail.welcome", job_id)}  # type: ignore[attr-defined]
    assert caplog.records[-1].exc_info is not None
    assert "hunter2" not in caplog.text


def test_texts_of_tasks_can_not_forge_log_lines(task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("first\nERROR forged\x1b[31m\r")

    pool = task(handler, attempts=1, attempt_after=0)

    with caplog.at_level(logging.DEBUG, "yao_tasks"):
        pool.wait(pool.add(), SECONDS)
        pool.close()

    for record in caplog.records:
        assert not set("\n\r\x1b") & set(record.getMessage())
        assert r"first\nERROR forged\x1b[31m\r" in record.getMessage()


def test_a_cancel_is_no_error_line(site: Site, task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    gate = site.gate()
    pool = task(gate)
    with caplog.at_level(logging.WARNING, "yao_tasks"):
        job_id = pool.add()
        gate.entered()
        pool.cancel(job_id)
        gate.open()
        end_after(pool, job_id)

    assert caplog.records == []
