"""API: handlers and events. Their order, their threads, and that nothing they do changes a job."""

import contextvars
import logging
import threading
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.errors import JobCancelled, JobLost, JobNotFound, JobTimeout

SEEN: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


def test_add_progress_and_success_come_in_that_order_and_once(task: MakeTask, notes: Notes) -> None:
    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        job.progress(1, 2, "half")
        job.progress(2, 2, "done")
        return "result"

    pool = task(handler, event=notes.events())

    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    pool.close()

    assert [(note.event, note.values) for note in notes.of(job_id)] == [
        ("add", ()),
        ("progress", (1, 2, "half")),
        ("progress", (2, 2, "done")),
        ("success", ("result",)),
    ]


def test_a_failing_job_has_one_error_event_after_its_last_run_with_what_was_raised_last(
    task: MakeTask, notes: Notes
) -> None:
    raised: list[Exception] = []

    def handler(job_id: int) -> None:
        raised.append(ValueError(f"run {len(raised) + 1}"))
        raise raised[-1]

    pool = task(handler, attempts=2, attempt_after=0, event=notes.events())

    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    pool.close()

    assert notes.names(job_id) == ["add", "error"]
    (exception,) = notes.of(job_id)[-1].values
    assert exception is raised[2]


def test_a_job_that_succeeds_at_last_has_no_error_event(task: MakeTask, notes: Notes) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        if job.attempt < 3:
            raise ValueError

    pool = task(handler, attempts=3, attempt_after=0, event=notes.events())

    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    pool.close()

    assert notes.names(job_id) == ["add", "success"]


def test_the_add_event_runs_in_the_thread_that_adds(task: MakeTask, notes: Notes) -> None:
    pool = task(lambda job_id: None, event=notes.events("add"))

    job_id = pool.add()

    assert [note.thread for note in notes.of(job_id)] == [threading.current_thread()]


def test_no_run_starts_before_the_add_event_has_returned(task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()
    ran: list[int] = []
    order: list[str] = []

    def on_add(job_id: int) -> None:
        entered.set()
        assert go.wait(SECONDS)
        order.append("add")

    def handler(job_id: int, what: str) -> None:
        order.append(what)
        ran.append(job_id)

    pool = task(handler, event={"add": on_add})
    adder = threading.Thread(target=pool.add, args=("run",))
    adder.start()
    assert entered.wait(SECONDS)
    (job_id,) = pool.jobs

    assert pool.get(job_id).status == "WAITING"
    go.set()
    adder.join()
    pool.wait(job_id, SECONDS)

    assert order == ["add", "run"]


def test_success_error_and_progress_run_in_the_worker(task: MakeTask, notes: Notes) -> None:
    threads: dict[int, threading.Thread] = {}

    def handler(job_id: int, *, fails: bool) -> None:
        threads[job_id] = threading.current_thread()
        job = current_job()
        assert job is not None
        job.progress(1, 2)
        if fails:
            raise ValueError

    pool = task(handler, event=notes.events())

    good, bad = pool.add(fails=False), pool.add(fails=True)
    pool.close()

    for job_id, names in ((good, ["progress", "success"]), (bad, ["progress", "error"])):
        inside = [note for note in notes.of(job_id) if note.event != "add"]
        assert [note.event for note in inside] == names
        assert {note.thread for note in inside} == {threads[job_id]}


def test_progress_from_outside_is_told_in_the_thread_that_reports_it(
    site: Site, task: MakeTask, notes: Notes
) -> None:
    pool = task(site.gate(), event=notes.events("progress"))
    job_id = pool.add()
    site.gates[0].entered()

    pool.progress(job_id, 3, 10, "from outside")

    (note,) = notes.of(job_id)
    assert note.values == (3, 10, "from outside")
    assert note.thread is threading.current_thread()


def test_a_cancelled_job_is_announced_by_a_thread_of_the_pools_own(
    site: Site, task: MakeTask, notes: Notes
) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, event=notes.events())
    running, waiting = pool.add(), pool.add()
    gate.entered()
    workers = {thread for thread in threading.enumerate() if thread.name.startswith("yao_tasks")}

    pool.cancel(running), pool.cancel(waiting)

    for job_id in (running, waiting):
        until(lambda job_id=job_id: notes.names(job_id) == ["add", "error"], "the error event")
        note = notes.of(job_id)[-1]
        (exception,) = note.values
        assert isinstance(exception, JobCancelled)
        assert note.thread is not threading.current_thread()
        assert note.thread not in workers


def test_a_timed_out_job_is_announced_by_a_thread_of_the_pools_own(
    site: Site, task: MakeTask, notes: Notes
) -> None:
    gate = site.gate()
    pool = task(gate, timeout=0.05, event=notes.events("error"))
    job_id = pool.add()
    gate.entered()
    others = {thread for thread in threading.enumerate() if thread.name.startswith("yao_tasks")}

    until(lambda: notes.names(job_id) == ["error"], "the error event")

    (note,) = notes.of(job_id)
    (exception,) = note.values
    assert isinstance(exception, JobTimeout)
    # Neither a worker nor the clock.
    assert note.thread not in others


def test_a_lost_job_is_announced_once(site: Site, task: MakeTask, notes: Notes) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, event=notes.events())
    ids = [pool.add(), pool.add()]
    gate.entered()

    left = pool.close(0)

    assert left == ids
    assert [notes.names(job_id) for job_id in ids] == [["add", "error"]] * 2
    assert {type(note.values[0]) for note in notes.all if note.event == "error"} == {JobLost}


def test_a_late_return_fires_no_second_end(site: Site, task: MakeTask, notes: Notes) -> None:
    gate = site.gate()
    pool = task(gate, event=notes.events())
    job_id = pool.add("late result")
    gate.entered()
    pool.cancel(job_id)
    until(lambda: len(notes.all) == 2, "the error event")

    gate.open()
    until(lambda: not pool.metrics()["stuck"], "the late return")
    pool.close()

    assert notes.names(job_id) == ["add", "error"]


def test_a_job_cancelled_within_its_add_event_ends_at_once_and_is_announced_after_it(
    task: MakeTask, notes: Notes
) -> None:
    entered, go = threading.Event(), threading.Event()

    def hold(job_id: int) -> None:
        entered.set()
        assert go.wait(SECONDS)

    ran: list[int] = []
    after_add: list[bool] = []
    notes.also |= {"add": hold, "error": lambda job_id, exception: after_add.append(go.is_set())}
    pool = task(ran.append, event=notes.events())
    adder = threading.Thread(target=pool.add)
    adder.start()
    assert entered.wait(SECONDS)
    (job_id,) = pool.jobs

    assert pool.cancel(job_id)

    assert pool.get(job_id).status == "FAILURE"
    go.set()
    adder.join()
    until(lambda: "error" in notes.names(job_id), "the error event")
    pool.close()
    assert notes.names(job_id) == ["add", "error"]
    assert after_add == [True]
    assert notes.of(job_id)[-1].thread is not adder
    assert ran == []


def test_by_the_time_of_its_end_event_get_shows_the_end(task: MakeTask) -> None:
    seen: list[str] = []

    def handler(job_id: int, *, fails: bool) -> None:
        if fails:
            raise ValueError

    def look(job_id: int, value: object) -> None:
        seen.append(pool.get(job_id).status)

    pool = task(handler, event={"success": look, "error": look})

    pool.add(fails=False), pool.add(fails=True)
    pool.close()

    assert sorted(seen) == ["FAILURE", "SUCCESS"]


def test_handlers_and_events_know_their_job(task: MakeTask, notes: Notes) -> None:
    inside: list[tuple[str, int, int]] = []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        inside.append((job.task, job.id, job.attempt))
        job.progress(1, 2)
        if job.attempt == 1:
            raise ValueError

    pool = task(handler, "mail.welcome", attempts=1, attempt_after=0, event=notes.events())

    job_id = pool.add()
    pool.close()

    assert inside == [("mail.welcome", job_id, 1), ("mail.welcome", job_id, 2)]
    assert [(note.event, note.inside) for note in notes.all] == [
        ("add", ("mail.welcome", job_id, 0)),
        ("progress", ("mail.welcome", job_id, 1)),
        ("progress", ("mail.welcome", job_id, 2)),
        ("success", ("mail.welcome", job_id, 2)),
    ]


def test_there_is_no_current_job_outside(task: MakeTask, notes: Notes) -> None:
    pool = task(lambda job_id: None, event=notes.events())

    pool.wait(pool.add(), SECONDS)

    assert current_job() is None


def test_a_handler_that_adds_a_job_stays_in_its_own(task: MakeTask, notes: Notes) -> None:
    def handler(job_id: int, *, again: bool) -> list[int]:
        if again:
            pool.add(again=False)
        job = current_job()
        assert job is not None
        return [job.id]

    pool = task(handler, event=notes.events("add"))

    job_id = pool.add(again=True)

    assert pool.wait(job_id, SECONDS).response == [job_id]
    assert [note.inside and note.inside[1] for note in notes.all] == [note.job for note in notes.all]


def test_each_run_and_each_event_has_a_fresh_context(task: MakeTask) -> None:
    seen: list[str] = []

    def leave_a_trace(job_id: int, *values: Any) -> None:
        seen.append(SEEN.get())
        SEEN.set("a trace")
        if not values:
            raise ValueError

    pool = task(
        leave_a_trace,
        worker_nums=1,
        attempts=1,
        attempt_after=0,
        event={"error": lambda job_id, error: seen.append(SEEN.get())},
    )
    SEEN.set("the caller's")

    pool.add()
    pool.close()

    assert seen == ["nothing", "nothing", "nothing"]
    assert SEEN.get() == "the caller's"


def test_an_add_event_leaves_no_trace_in_the_callers_context(task: MakeTask) -> None:
    pool = task(lambda job_id: None, event={"add": lambda job_id: SEEN.set("an event's")})
    SEEN.set("the caller's")

    pool.add()

    assert SEEN.get() == "the caller's"


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
