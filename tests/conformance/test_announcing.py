"""API: events. Ends that no worker made are told once, by a thread of the pool's own."""

import contextvars
import threading

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks.errors import JobCancelled, JobLost, JobTimeout

SEEN: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


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
