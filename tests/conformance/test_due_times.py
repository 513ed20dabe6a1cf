"""API: jobs that run later (`run_after`), or not at all (`expires`), and those with a timeout of their own."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import transaction

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.errors import JobCancelled, JobExpired, JobNotFound, QueueFull

in_transactions = pytest.mark.django_db(transaction=True)

SOON: dict[str, Callable[[], Any]] = {
    "seconds": lambda: 0.2,
    "timedelta": lambda: timedelta(milliseconds=200),
    "aware datetime": lambda: datetime.now(UTC) + timedelta(seconds=0.2),
    "another zone": lambda: datetime.now(timezone(timedelta(hours=-11))) + timedelta(seconds=0.2),
}


# run_after


@pytest.mark.parametrize("way", SOON)
def test_a_job_runs_no_sooner_than_it_is_asked_to(task: MakeTask, way: str) -> None:
    pool = task(lambda job_id: time.time())
    began = time.time()

    job_id = pool.using(run_after=SOON[way]()).add()

    info = pool.get(job_id)
    assert (info.status, info.attempt) == ("WAITING", 0)
    assert info.due_at is not None
    # A moment was told before the add began, which may take a while.
    assert began + 0.199 < info.due_at.timestamp() <= info.added_at.timestamp() + 0.201
    started = pool.wait(job_id, SECONDS).response
    assert 0.19 < started - began < 1
    assert pool.get(job_id).due_at is None


@pytest.mark.parametrize("moment", [0, 0.0, timedelta(0), datetime(2020, 1, 1, tzinfo=UTC)], ids=repr)
def test_a_moment_that_has_passed_is_now(task: MakeTask, moment: Any) -> None:
    pool = task(lambda job_id: "done")

    assert pool.wait(pool.using(run_after=moment).add(), SECONDS).response == "done"


def test_a_job_that_is_due_sooner_runs_sooner(task: MakeTask) -> None:
    ran: list[str] = []
    pool = task(lambda job_id, name: ran.append(name), worker_nums=1)

    for name, seconds in [("c", 0.15), ("a", 0.05), ("b", 0.1), ("now", 0)]:
        pool.using(run_after=seconds).add(name)

    until(lambda: not pool.jobs, "all to run")
    assert ran == ["now", "a", "b", "c"]


def test_delayed_jobs_count_against_the_size_and_hold_no_worker(task: MakeTask) -> None:
    pool = task(lambda job_id: "done", worker_nums=1, size=2)
    later = pool.using(run_after=60)
    delayed = [later.add(), later.add()]
    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"
    delayed.append(later.add())

    with pytest.raises(QueueFull):
        later.add()

    assert pool.metrics()["delayed"] == pool.metrics()["waiting"] == 3
    assert list(pool.jobs) == delayed
    pool.cancel(delayed[0])
    assert later.add()


def test_a_delayed_job_that_is_cancelled_never_runs(task: MakeTask, notes: Notes) -> None:
    ran: list[int] = []
    pool = task(ran.append, event=notes.events())
    job_id = pool.using(run_after=0.05).add()

    assert pool.cancel(job_id)

    marker = pool.using(run_after=0.1).add()
    pool.wait(marker, SECONDS)
    pool.close()
    assert ran == [marker]
    assert notes.names(job_id) == ["add", "error"]
    assert pool.metrics()["delayed"] == 0


def test_the_add_event_of_a_delayed_job_comes_at_once(task: MakeTask, notes: Notes) -> None:
    pool = task(lambda job_id: None, event=notes.events())

    job_id = pool.using(run_after=60).add()

    assert notes.names(job_id) == ["add"]


@pytest.mark.slow
def test_an_id_that_is_given_again_is_not_due_at_the_moment_of_the_one_before(task: MakeTask) -> None:
    pool = task(lambda job_id: time.time(), retention=0, event={"next": lambda: 7})
    pool.using(run_after=0.1).add()
    pool.cancel(7)
    began = time.time()

    pool.using(run_after=0.4).add()

    assert pool.wait(7, SECONDS).response - began >= 0.39


@in_transactions
def test_a_delay_counts_from_the_add_and_its_job_still_waits_for_the_commit(task: MakeTask) -> None:
    pool = task(lambda job_id: time.time())
    with transaction.atomic():
        job_id = pool.using(run_after=0.05).add()
        due = pool.get(job_id).due_at
        assert due is not None
        time.sleep(0.1)
        assert (pool.get(job_id).status, pool.get(job_id).attempt) == ("WAITING", 0)
        committed = time.time()

    assert committed <= pool.wait(job_id, SECONDS).response < committed + 1


@in_transactions
def test_a_delayed_job_of_a_rollback_never_was(task: MakeTask) -> None:
    ran: list[int] = []
    pool = task(ran.append)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        job_id = pool.using(run_after=0.01, expires=0.02, timeout=5, priority=5).add()
        raise ZeroDivisionError

    with pytest.raises(JobNotFound):
        pool.get(job_id)
    marker = pool.using(run_after=0.05).add()
    pool.wait(marker, SECONDS)
    assert ran == [marker]
    assert pool.metrics()["delayed"] == pool.metrics()["failed"]["cancelled"] == 0


# expires


def test_a_job_that_has_not_started_when_it_expires_is_cancelled(
    site: Site, task: MakeTask, notes: Notes
) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, event=notes.events())
    pool.add()
    gate.entered()
    began = time.time()

    job_id = pool.using(expires=0.1).add()

    info = pool.wait(job_id, SECONDS)
    assert 0.09 < time.time() - began < 1
    assert (info.status, info.attempt, info.error and info.error.kind) == ("FAILURE", 0, "cancelled")
    assert info.error is not None
    assert info.error.type == "yao_tasks.errors.JobExpired"
    assert info.response == "The job had not started 0.1 s after it was added."
    until(lambda: notes.names(job_id) == ["add", "error"], "the event")
    [error] = notes.of(job_id)[1].values
    assert isinstance(error, JobExpired)
    assert isinstance(error, JobCancelled)
    assert pool.metrics()["failed"]["cancelled"] == 1


def test_a_job_that_has_started_in_time_does_not_expire(site: Site, task: MakeTask, kind: str) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=2)
    # A process has to start first.
    seconds = 1 if kind.endswith("process") else 0.15
    job_id = pool.using(expires=seconds).add("result")
    gate.entered()
    marker = pool.using(run_after=seconds + 0.05).add()
    until(lambda: pool.get(marker).status == "RUNNING", "its time to be over")

    assert pool.get(job_id).status == "RUNNING"
    gate.open()
    assert pool.wait(job_id, SECONDS).response == "result"


def test_a_job_between_two_runs_has_started_and_does_not_expire(task: MakeTask, kind: str) -> None:
    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            raise ValueError
        return "second run"

    # A process has to start first.
    seconds = 1 if kind.endswith("process") else 0.1
    pool = task(handler, attempts=1, attempt_after=int(seconds * 2_000))

    job_id = pool.using(expires=seconds).add()

    assert pool.wait(job_id, SECONDS).response == "second run"


def test_a_delayed_job_may_expire_before_it_is_due(task: MakeTask) -> None:
    pool = task(lambda job_id: None)

    info = pool.wait(pool.using(run_after=60, expires=0.05).add(), SECONDS)

    assert info.error is not None
    assert info.error.type.endswith("JobExpired")
    assert pool.metrics()["delayed"] == 0


def test_an_expired_job_gives_its_place_and_its_key_back(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1, size=1)
    pool.add()
    gate.entered()
    pool.wait(pool.using(expires=0, unique="ada").add(), SECONDS)

    assert pool.using(unique="ada").add()


def test_a_paused_pools_jobs_expire_too(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    pool.pause()

    assert pool.wait(pool.using(expires=0.05).add(), SECONDS).status == "FAILURE"


def test_an_id_that_is_given_again_does_not_expire_with_the_one_before(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    ids = iter([1, 7, 7, 8])
    pool = task(gate, worker_nums=1, retention=0, event={"next": lambda: next(ids)})
    pool.add()
    gate.entered()
    pool.using(expires=0.1).add()
    pool.cancel(7)
    pool.add()
    marker = pool.using(expires=0.2).add()

    pool.wait(marker, SECONDS)

    assert pool.get(7).status == "WAITING"


@in_transactions
def test_a_job_that_expires_before_its_commit_shows_at_once_and_is_told_after_it(
    task: MakeTask, notes: Notes
) -> None:
    ran: list[int] = []
    pool = task(ran.append, event=notes.events())

    with transaction.atomic():
        job_id = pool.using(expires=0.05).add()
        until(lambda: pool.get(job_id).status == "FAILURE", "it to expire")
        assert notes.all == []

    until(lambda: notes.names(job_id) == ["add", "error"], "its events")
    assert ran == []


# timeout


def test_a_timeout_shorter_than_the_definitions_holds(task: MakeTask) -> None:
    release, deadlines = threading.Event(), []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        deadlines.append(job.deadline)
        assert release.wait(SECONDS)

    pool = task(handler, timeout=60)

    info = pool.wait(pool.using(timeout=0.2).add(), SECONDS)

    release.set()
    assert (info.status, info.error and info.error.kind) == ("FAILURE", "timeout")
    assert "longer than 0.2 s" in info.response
    assert info.started_at is not None
    assert info.ended_at is not None
    assert 0.2 <= (info.ended_at - info.started_at).total_seconds() < 0.7
    assert abs((deadlines[0] - info.started_at).total_seconds() - 0.2) < 0.01


def test_a_timeout_longer_than_the_definitions_holds(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, timeout=0.1, worker_nums=2)
    slow = pool.using(timeout=60).add("result")
    gate.entered()

    # Another, of the same pool, ends by the definition's.
    info = pool.wait(pool.add(), SECONDS)

    assert (info.error and info.error.kind, pool.get(slow).status) == ("timeout", "RUNNING")
    gate.open()
    assert pool.wait(slow, SECONDS).response == "result"


@pytest.mark.slow
def test_a_timeout_counts_from_the_runs_start_and_for_each_run_anew(task: MakeTask) -> None:
    def handler(job_id: int) -> str:
        job = current_job()
        assert job is not None
        time.sleep(0.1)
        if job.attempt < 3:
            raise ValueError
        return "third run"

    pool = task(handler, attempts=2, attempt_after=20, timeout=60)

    assert pool.wait(pool.using(timeout=0.25, run_after=0.1).add(), SECONDS).response == "third run"


def test_the_second_run_of_a_job_has_its_own_timeout_too(task: MakeTask) -> None:
    release = threading.Event()

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            raise ValueError
        assert release.wait(SECONDS)

    pool = task(handler, attempts=1, attempt_after=0, timeout=60)

    info = pool.wait(pool.using(timeout=0.1).add(), SECONDS)

    release.set()
    assert (info.attempt, info.error and info.error.kind) == (2, "timeout")


def test_many_timeouts_of_their_own_each_hold(task: MakeTask) -> None:
    release = threading.Event()
    pool = task(lambda job_id: release.wait(SECONDS), worker_nums=6, timeout=60)
    seconds = [0.25, 0.05, 0.2, 0.1, 0.15]

    ids = {one: pool.using(timeout=one).add() for one in seconds}

    for one, job_id in ids.items():
        info = pool.wait(job_id, SECONDS)
        assert info.started_at is not None
        assert info.ended_at is not None
        assert one <= (info.ended_at - info.started_at).total_seconds() < one + 0.5
    release.set()
