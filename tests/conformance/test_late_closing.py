"""API: close. Calls that come while a pool is closed, from within or at the last moment."""

import threading
import time

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.errors import PoolClosed
from yao_tasks.pools import Pool


def closing(pool: Pool, timeout: float = SECONDS) -> tuple[threading.Thread, list[list[int]]]:
    """Close a pool in a thread; answers it, and the list that its answer is put into."""
    answers: list[list[int]] = []
    thread = threading.Thread(target=lambda: answers.append(pool.close(timeout)))
    thread.start()
    return thread, answers


def test_a_handler_that_adds_while_closing_is_refused(site: Site, task: MakeTask) -> None:
    gate = site.gate()

    def handler(job_id: int) -> str:
        gate(job_id)
        with pytest.raises(PoolClosed):
            pool.add()
        return "refused"

    pool = task(handler)
    job_id = pool.add()
    gate.entered()
    thread, _ = closing(pool)
    until(lambda: pool.get(job_id).status == "RUNNING" and not thread.join(0.01), "a moment")

    gate.open()
    thread.join(SECONDS)

    assert pool.get(job_id).response == "refused"


def test_a_handler_may_close_its_own_pool(task: MakeTask) -> None:
    answers: list[list[int]] = []
    pool = task(lambda job_id: answers.append(pool.close(SECONDS)))

    job_id = pool.add()

    until(lambda: answers, "the close to return")
    assert answers == [[job_id]]
    info = pool.get(job_id)
    assert info.error is not None
    assert info.error.kind == "lost"


@pytest.mark.parametrize("event", ["add", "success", "progress"])
def test_an_event_may_close_its_own_pool(
    task: MakeTask, caplog: pytest.LogCaptureFixture, event: str
) -> None:
    answers: list[list[int]] = []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(1, 2)

    pool = task(handler, event={event: lambda job_id, *values: answers.append(pool.close(SECONDS))})

    job_id = pool.add()

    until(lambda: answers, "the close to return")
    assert answers == [[] if event == "success" else [job_id]]
    assert "event." not in caplog.text


def test_an_error_event_that_closes_its_own_pool_returns(site: Site, task: MakeTask) -> None:
    answers: list[list[int]] = []
    gate = site.gate()
    pool = task(gate, event={"error": lambda job_id, error: answers.append(pool.close(SECONDS))})
    job_id = pool.add()
    gate.entered()

    pool.cancel(job_id)

    until(lambda: answers, "the close to return")
    assert answers == [[]]


def test_closing_again_while_an_event_hangs_leaves_no_thread_behind(
    site: Site, task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yao_tasks.engines.steering.LAST_WORDS", 0.01)
    entered, go = threading.Event(), threading.Event()

    def hang(job_id: int, error: object) -> None:
        entered.set()
        assert go.wait(SECONDS)

    gate = site.gate()
    pool = task(gate, worker_nums=1, event={"error": hang})
    pool.add()
    gate.entered()
    pool.cancel(pool.add())
    assert entered.wait(SECONDS)

    pool.close(0)
    pool.close(0)

    gate.open()
    go.set()
    until(lambda: not [t for t in threading.enumerate() if t.name.endswith("announcer")], "it to end")


def test_closing_an_unused_pool_is_quick_and_harmless(task: MakeTask) -> None:
    began = time.monotonic()

    assert task(lambda job_id: None).close() == []

    assert time.monotonic() - began < 1


def test_a_pool_may_be_closed_by_many_at_once(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=2)
    for _ in range(6):
        pool.add()
    closes = [closing(pool) for _ in range(4)]

    gate.open()

    for thread, answers in closes:
        thread.join(SECONDS)
        assert answers == [[]]


@pytest.mark.django_db(transaction=True)
def test_a_commit_after_the_close_ends_its_job_as_lost_with_its_events(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(ran.append, event=notes.events())
    with transaction.atomic():
        job_id = pool.add()
        left = pool.close(0.05)

    until(lambda: notes.names(job_id) == ["add", "error"], "its events")
    info = pool.get(job_id)
    assert info.error is not None
    assert (left, info.error.kind, ran) == ([job_id], "lost", [])


def test_an_add_that_is_still_in_its_event_when_the_pool_closes_is_not_lost_silently(
    task: MakeTask, notes: Notes
) -> None:
    entered, go = threading.Event(), threading.Event()

    def hold(job_id: int) -> None:
        entered.set()
        assert go.wait(SECONDS)

    notes.also["add"] = hold
    pool = task(lambda job_id: None, event=notes.events())
    adder = threading.Thread(target=pool.add)
    adder.start()
    assert entered.wait(SECONDS)
    (job_id,) = pool.jobs

    left = pool.close(0.05)

    go.set()
    adder.join(SECONDS)
    until(lambda: notes.names(job_id) == ["add", "error"], "its events")
    assert left == [job_id]
    assert pool.get(job_id).status == "FAILURE"
