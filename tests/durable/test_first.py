"""A durable job from its `add` to its end."""

import threading
import time
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from tests.conftest import Site, until
from tests.durable.conftest import Durable, Rows, work
from yao_tasks import boot
from yao_tasks.core.errors import DuplicateJob, JobNotFound, QueueFull
from yao_tasks.engines.durable.looking import LOOK
from yao_tasks.journal.durable.claims import Claim
from yao_tasks.journal.durable.desks import Desk
from yao_tasks.journal.durable.holdings import Holdings
from yao_tasks.models import PausedTask


def test_a_job_runs_and_its_row_says_how_it_ended(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id, name: {"hello": name})
    work()

    job_id = pool.add("ada")

    info = pool.wait(job_id, 10)
    assert (info.status, info.response, info.attempt) == ("SUCCESS", {"hello": "ada"}, 1)
    row = rows.of(job_id)
    assert row is not None
    assert (row.status, row.result, row.durable, row.token) == (3, '{"hello":"ada"}', True, None)


def test_a_job_waits_until_a_process_works(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: "done")

    job_id = pool.add()

    assert pool.get(job_id).status == "WAITING"
    assert list(pool.jobs) == [job_id]
    work()
    assert pool.wait(job_id, 10).response == "done"
    assert list(pool.jobs) == []


def test_a_job_is_written_in_the_callers_transaction(durable: Durable, rows: Rows, journal: str) -> None:
    ran = []
    pool = durable(lambda job_id: ran.append(job_id))
    work()

    with transaction.atomic(using=journal):
        kept = pool.add()
        assert pool.get(kept).status == "WAITING"
    with pytest.raises(ZeroDivisionError), transaction.atomic(using=journal):
        dropped = pool.add()
        raise ZeroDivisionError

    assert pool.wait(kept, 10).status == "SUCCESS"
    with pytest.raises(JobNotFound):
        pool.get(dropped)
    assert ran == [kept]


def test_what_is_claimed_waits_until_it_starts(durable: Durable, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver, claimed, go = Holdings.deliver, threading.Event(), threading.Event()

    def slowly(self: Holdings, desk: Desk, claims: list[Claim]) -> list[Claim]:
        if claims:
            claimed.set()
            time.sleep(LOOK * 5)
        return deliver(self, desk, claims)

    def on_add(job_id: int) -> None:
        assert go.wait(10)

    def add() -> None:
        pool.add()
        connections.close_all()

    monkeypatch.setattr(Holdings, "deliver", slowly)
    pool = durable(lambda job_id: "done", event={"add": on_add})
    work()
    adder = threading.Thread(target=add)
    adder.start()
    assert claimed.wait(10)
    (job_id,) = pool.jobs

    assert pool.get(job_id).status == "WAITING"

    go.set()
    adder.join()
    assert pool.wait(job_id, 10).status == "SUCCESS"


def test_a_failed_run_is_tried_again_and_each_is_kept(durable: Durable, rows: Rows) -> None:
    runs: list[int] = []

    def fail_twice(job_id: int) -> str:
        runs.append(job_id)
        if len(runs) < 3:
            raise ValueError(f"run {len(runs)}")
        return "at last"

    pool = durable(fail_twice, attempts=3, attempt_after=20)
    work()

    info = pool.wait(pool.add(), 10)

    assert (info.status, info.response, info.attempt) == ("SUCCESS", "at last", 3)
    row = rows.of(info.id)
    assert row is not None
    assert '"message":"run 1"' in row.runs
    assert '"message":"run 2"' in row.runs


def test_the_last_failure_is_told_once_with_what_was_raised(durable: Durable, rows: Rows) -> None:
    told: list[Any] = []

    def fail(job_id: int) -> None:
        raise ValueError("no")

    pool = durable(fail, event={"error": lambda job_id, error: told.append((job_id, error))})
    work()

    job_id = pool.add()

    info = pool.wait(job_id, 10)
    assert (info.status, info.error.kind, info.response) == ("FAILURE", "raised", "no")  # type: ignore[union-attr]
    until(lambda: told, "event.error")
    assert [(one, type(error), str(error)) for one, error in told] == [(job_id, ValueError, "no")]


def test_many_are_written_at_once_and_all_run(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id, number: number, size=1_000, worker_nums=4)
    work()

    ids = pool.add_many([(number,) for number in range(300)])

    assert sorted(info.response for info in pool.as_completed(ids, 20)) == list(range(300))
    assert rows.all().filter(status=3).count() == 300


def test_a_full_queue_refuses_and_breaks_no_transaction(durable: Durable, rows: Rows, journal: str) -> None:
    pool = durable(lambda job_id: None, size=3, worker_nums=1)

    with transaction.atomic(using=journal):
        for _ in range(4):
            pool.add()
        with pytest.raises(QueueFull):
            pool.add()

    assert rows.all().count() == 4


def test_an_equal_job_is_refused_until_the_first_has_ended(
    durable: Durable, rows: Rows, journal: str
) -> None:
    pool = durable(lambda job_id, name: None, unique=True)
    first = pool.add("ada")

    with transaction.atomic(using=journal), pytest.raises(DuplicateJob) as refused:
        pool.add("ada")

    assert refused.value.job_id == first
    pool.add("grace")
    work()
    assert pool.wait(first, 10).status == "SUCCESS"
    assert pool.wait(pool.add("ada"), 10).status == "SUCCESS"


def test_a_waiting_job_is_cancelled_by_its_row(durable: Durable, rows: Rows) -> None:
    told: list[Any] = []
    pool = durable(
        lambda job_id: None, event={"error": lambda job_id, error: told.append(type(error).__name__)}
    )
    job_id = pool.add()

    assert pool.cancel(job_id) is True
    assert pool.cancel(job_id) is False

    info = pool.get(job_id)
    assert (info.status, info.error.kind) == ("FAILURE", "cancelled")  # type: ignore[union-attr]
    until(lambda: told == ["JobCancelled"], "event.error")


def test_a_running_job_is_cancelled_and_sees_it(durable: Durable, rows: Rows, site: Site) -> None:
    from yao_tasks import current_job

    seen: list[bool] = []

    def watch(job_id: int) -> None:
        job = current_job()
        assert job is not None
        until(lambda: job.cancelled, "the cancel")
        seen.append(True)

    pool = durable(watch)
    work()
    job_id = pool.add()
    until(lambda: pool.metrics()["running"], "the run")

    assert pool.cancel(job_id) is True

    until(lambda: seen, "the handler to see it")
    assert pool.get(job_id).error.kind == "cancelled"  # type: ignore[union-attr]


def test_progress_is_seen_in_the_row(durable: Durable, rows: Rows, site: Site) -> None:
    from yao_tasks import current_job

    gate = site.gate()

    def report(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(3, 10, "rendering")
        gate(job_id)

    pool = durable(report)
    work()

    job_id = pool.add()

    row = rows.until(job_id, current=3)
    assert (row.total, row.message) == (10, "rendering")
    gate.open()
    assert pool.wait(job_id, 10).current == 3


def test_a_run_that_takes_too_long_times_out(durable: Durable, rows: Rows, site: Site) -> None:
    pool = durable(site.gate(), timeout=0.1)
    work()

    info = pool.wait(pool.add(), 10)

    assert (info.status, info.error.kind) == ("FAILURE", "timeout")  # type: ignore[union-attr]


def test_a_failure_is_retried_by_its_row(durable: Durable, rows: Rows) -> None:
    answers = iter([ZeroDivisionError, None])

    def once(job_id: int) -> str:
        if (error := next(answers)) is not None:
            raise error
        return "fine"

    pool = durable(once)
    work()
    job_id = pool.add()
    assert pool.wait(job_id, 10).status == "FAILURE"

    pool.retry(job_id)

    info = pool.wait(job_id, 10)
    assert (info.status, info.attempt) == ("SUCCESS", 2)


def test_a_delayed_job_runs_when_it_is_due(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: None)
    work()

    job_id = pool.using(run_after=0.3).add()

    info = pool.wait(job_id, 10)
    assert info.started_at is not None
    assert (info.started_at - info.added_at).total_seconds() >= 0.25


def test_the_best_runs_first(durable: Durable, rows: Rows) -> None:
    order: list[str] = []
    pool = durable(lambda job_id, name: order.append(name), worker_nums=1)
    ids = [pool.using(priority=priority).add(str(priority)) for priority in (0, -5, 10, 10, 0)]

    work()

    for job_id in ids:
        pool.wait(job_id, 10)
    assert order == ["10", "10", "0", "0", "-5"]


def test_a_paused_task_starts_nothing_in_any_process(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: None)
    pool.pause()
    work()
    job_id = pool.add()

    with pytest.raises(TimeoutError):
        pool.wait(job_id, 0.3)
    pool.resume()

    assert pool.wait(job_id, 10).status == "SUCCESS"


def test_a_pause_holds_from_its_commit_on_whoever_has_looked_at_it(
    durable: Durable, rows: Rows, settings: Any, journal: str
) -> None:
    pool = durable(lambda job_id: "done")
    settings.YAO_TASKS = {**settings.YAO_TASKS, "POLL_INTERVAL": 60}
    work()
    pool.wait(pool.add(), 10)

    # As another process does.
    PausedTask.objects.using(journal).create(task=pool.id, paused_at=timezone.now())
    job_id = pool.add()
    time.sleep(0.3)

    assert pool.get(job_id).status == "WAITING"
    assert pool.get(job_id).attempt == 0
    pool.resume()
    boot.house().home.journal.clerk.look(pool.id)
    assert pool.wait(job_id, 10).status == "SUCCESS"


def test_suspects_run_one_after_the_other_without_a_pause(
    durable: Durable, rows: Rows, settings: Any
) -> None:
    at_once: list[int] = []
    most: list[int] = []

    def suspect(job_id: int) -> None:
        at_once.append(job_id)
        most.append(len(at_once))
        at_once.remove(job_id)

    pool = durable(suspect)
    settings.YAO_TASKS = {**settings.YAO_TASKS, "POLL_INTERVAL": 5}
    pool.add_many([()] * 50)
    rows.all().update(suspect=True)
    began = time.monotonic()
    work()

    until(lambda: not rows.all().filter(status__in=(1, 2)).exists(), "all to end", seconds=20)

    # Not one a look.
    assert time.monotonic() - began < 5
    assert set(most) == {1}


def test_purge_cancels_what_waits(durable: Durable, rows: Rows) -> None:
    pool = durable(lambda job_id: None)
    ids = [pool.add() for _ in range(3)]
    later = pool.using(run_after=60).add()

    assert pool.purge() == 3

    assert {pool.get(job_id).status for job_id in ids} == {"FAILURE"}
    assert pool.get(later).status == "WAITING"
    assert pool.purge(delayed=True) == 1


def test_a_closed_pool_gives_back_what_it_runs(durable: Durable, rows: Rows, site: Site) -> None:
    gate = site.gate()
    pool = durable(gate, worker_nums=1)
    work()
    running, waiting = pool.add(), pool.add()
    gate.entered()

    assert pool.close(0.1) == [running]

    assert pool.get(running).status == "WAITING"
    row = rows.of(running)
    assert row is not None
    assert (row.attempt, row.base, row.token) == (1, 1, None)
    row = rows.of(waiting)
    assert row is not None
    assert (row.status, row.attempt) == (1, 0)
