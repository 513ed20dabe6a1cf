"""API: events. Which come, in which order, in which thread, and what they know."""

import contextvars
import threading
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site
from yao_tasks import current_job
from yao_tasks.errors import QueueFull

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


@pytest.mark.kinds("thread")  # the exception itself; a RemoteError elsewhere
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


def test_a_worker_is_not_free_while_it_tells_an_end(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(lambda job_id: None, worker_nums=1, size=1, event={"success": lambda job_id, _: gate(job_id)})
    pool.add()
    gate.entered()

    pool.add()

    with pytest.raises(QueueFull):
        pool.add()
