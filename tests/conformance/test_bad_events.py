"""API: events. Nothing that they do changes a job; `event.next` apart."""

import contextvars
import logging
import threading

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site
from yao_tasks import current_job
from yao_tasks.errors import JobNotFound

SEEN: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


@pytest.mark.parametrize("exception", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("event", ["add", "progress", "success", "error"])
def test_an_event_that_raises_changes_nothing_and_is_logged(
    task: MakeTask,
    notes: Notes,
    caplog: pytest.LogCaptureFixture,
    event: str,
    exception: type[BaseException],
) -> None:
    def raise_it(*args: object) -> None:
        raise exception("from the event")

    def handler(job_id: int, *, fails: bool = False) -> str:
        job = current_job()
        assert job is not None
        job.progress(1, 2, "half")
        if fails:
            raise RuntimeError("from the handler")
        return "result"

    notes.also[event] = raise_it
    pool = task(handler, worker_nums=1, event=notes.events())

    with caplog.at_level(logging.ERROR, "yao_tasks"):
        job_id = pool.add(fails=event == "error")
        ended = pool.wait(job_id, SECONDS)
        after = [pool.wait(pool.add(), SECONDS).status for _ in range(5)]
        pool.close()

    assert ended.response == ("from the handler" if event == "error" else "result")
    assert ended.message == "half"
    assert after == ["SUCCESS"] * 5
    lines = [record for record in caplog.records if f"event.{event}" in record.getMessage()]
    mine = [record for record in lines if record.job == job_id]  # type: ignore[attr-defined]
    assert len(mine) == 1
    assert (mine[0].task, mine[0].levelname) == ("job", "ERROR")  # type: ignore[attr-defined]
    assert "from the event" in mine[0].getMessage()
    assert mine[0].exc_info


def test_a_slow_end_event_keeps_neither_the_end_nor_the_other_worker(task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()

    def hang(job_id: int, result: object) -> None:
        if not entered.is_set():
            entered.set()
            assert go.wait(SECONDS)

    pool = task(lambda job_id: "result", worker_nums=2, event={"success": hang})
    first = pool.add()
    assert entered.wait(SECONDS)

    assert pool.wait(first, SECONDS).response == "result"
    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"
    go.set()


def test_wait_returns_before_the_end_events_have_run(task: MakeTask, notes: Notes) -> None:
    go = threading.Event()
    notes.also["success"] = lambda job_id, result: go.wait(SECONDS)
    pool = task(lambda job_id: None, event=notes.events("success"))

    info = pool.wait(pool.add(), SECONDS)

    assert info.status == "SUCCESS"
    go.set()
    pool.close()
    assert notes.names(info.id) == ["success"]


def test_a_slow_error_event_does_not_hold_up_a_cancel(site: Site, task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()

    def hang(job_id: int, exception: Exception) -> None:
        entered.set()
        assert go.wait(SECONDS)

    gate = site.gate()
    pool = task(gate, worker_nums=1, event={"error": hang})
    pool.add()
    gate.entered()
    first, second = pool.add(), pool.add()
    pool.cancel(first)
    assert entered.wait(SECONDS)

    assert pool.cancel(second)

    assert pool.get(second).status == "FAILURE"
    go.set()


def test_progress_from_an_end_event_is_refused(task: MakeTask) -> None:
    refused: list[BaseException] = []

    def report(job_id: int, result: object) -> None:
        job = current_job()
        assert job is not None
        for call in (
            lambda: job.progress(2, 2, "too late"),
            lambda: pool.progress(job_id, 2, 2, "too late"),
        ):
            with pytest.raises(JobNotFound) as error:
                call()
            refused.append(error.value)

    pool = task(lambda job_id: None, event={"success": report})

    job_id = pool.add()
    pool.close()

    assert len(refused) == 2
    assert pool.get(job_id).message == ""


def test_the_next_event_makes_the_id_in_the_callers_thread(task: MakeTask) -> None:
    threads: list[threading.Thread] = []

    def next_id() -> int:
        threads.append(threading.current_thread())
        return 41 + len(threads)

    pool = task(lambda job_id: job_id, event={"next": next_id})

    ids = [pool.add(), pool.add()]

    assert ids == [42, 43]
    assert [pool.wait(job_id, SECONDS).response for job_id in ids] == ids
    assert set(threads) == {threading.current_thread()}


def test_what_the_next_event_raises_comes_out_of_add_and_fails_that_add_only(task: MakeTask) -> None:
    answers = iter([ZeroDivisionError("no id today"), 7])

    def next_id() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = task(lambda job_id: None, event={"next": next_id})

    with pytest.raises(ZeroDivisionError, match="no id today"):
        pool.add()

    assert pool.wait(pool.add(), SECONDS).id == 7


def test_an_event_may_use_its_own_pool(task: MakeTask) -> None:
    done = threading.Event()

    def chain(job_id: int, result: int) -> None:
        if result < 3:
            pool.add(result + 1)
        else:
            done.set()

    pool = task(lambda job_id, number: number, worker_nums=1, size=1, event={"success": chain})

    pool.add(0)

    assert done.wait(SECONDS)
    pool.close()
    assert pool.metrics()["succeeded"] == 4


def test_jobs_without_events_need_none(task: MakeTask) -> None:
    pool = task(lambda job_id: None)

    job_id = pool.add()
    pool.wait(job_id, SECONDS)

    assert dict(pool.config.event) == {}
