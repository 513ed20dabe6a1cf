"""API: looking. What `get`, `wait` and `jobs` show, and for how long."""

import dataclasses
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks import current_job
from yao_tasks.errors import JobNotFound

Settings = Any


def end(job_id: int, *, fails: bool = False) -> str:
    if fails:
        raise ValueError("it failed")
    return "result"


# JobInfo, field by field


def test_a_waiting_job_in_all_its_fields(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, "mail.welcome", worker_nums=1)
    pool.add()
    gate.entered()
    before = datetime.now(UTC)

    info = pool.get(pool.add("ada", name="Ada"))

    assert info.as_dict() == {
        "id": info.id,
        "task": "mail.welcome",
        "status": "WAITING",
        "status_code": 1,
        "current": 0,
        "total": 0,
        "message": "",
        "percent": 0,
        "response": None,
        "error": None,
        "args": ("ada",),
        "kwargs": {"name": "Ada"},
        "attempt": 0,
        "added_at": info.added_at,
        "started_at": None,
        "ended_at": None,
        "due_at": None,
        "worker": None,
    }
    assert before - timedelta(seconds=1) < info.added_at < datetime.now(UTC) + timedelta(seconds=1)


def test_a_running_job_in_its_fields(task: MakeTask) -> None:
    entered, go = threading.Event(), threading.Event()

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(3, 12, "rendering")
        entered.set()
        assert go.wait(SECONDS)

    pool = task(handler)
    job_id = pool.add()
    assert entered.wait(SECONDS)

    info = pool.get(job_id)

    assert (info.status, info.status_code, info.attempt) == ("RUNNING", 2, 1)
    assert (info.current, info.total, info.message, info.percent) == (3, 12, "rendering", 25)
    assert (info.response, info.error, info.ended_at) == (None, None, None)
    assert info.worker
    assert info.started_at is not None
    assert info.added_at <= info.started_at <= datetime.now(UTC)
    go.set()


def test_a_success_in_its_fields(task: MakeTask) -> None:
    pool = task(end)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.status, info.status_code, info.attempt) == ("SUCCESS", 3, 1)
    assert (info.response, info.error, info.percent) == ("result", None, 100)
    assert info.started_at is not None
    assert info.ended_at is not None
    assert info.added_at <= info.started_at <= info.ended_at
    assert info.worker


def test_a_failure_in_its_fields(task: MakeTask) -> None:
    pool = task(end)

    info = pool.wait(pool.add(fails=True), SECONDS)

    assert (info.status, info.status_code, info.attempt) == ("FAILURE", 4, 1)
    assert info.error is not None
    assert (info.error.kind, info.error.type, info.error.message) == ("raised", "ValueError", "it failed")
    assert "ValueError: it failed" in info.error.traceback
    assert info.response == "it failed"
    assert info.as_dict()["error"] == {
        "kind": "raised",
        "type": "ValueError",
        "message": "it failed",
        "traceback": info.error.traceback,
    }
    assert info.ended_at is not None


def test_a_failure_without_text_is_named_by_its_type(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        raise ValueError

    pool = task(handler)

    assert pool.wait(pool.add(), SECONDS).response == "ValueError"


@pytest.mark.parametrize("result", [None, 0, "", False, [], {"a": 1}])
def test_any_result_is_answered_as_it_is(task: MakeTask, result: object) -> None:
    pool = task(lambda job_id: result)

    info = pool.wait(pool.add(), SECONDS)

    assert (info.status, info.response) == ("SUCCESS", result)


def test_all_moments_are_aware_and_in_utc(task: MakeTask) -> None:
    pool = task(end)

    info = pool.wait(pool.add(), SECONDS)

    for moment in (info.added_at, info.started_at, info.ended_at):
        assert moment is not None
        assert moment.tzinfo is UTC


def test_a_picture_is_frozen_and_stays_as_it_was(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add()
    gate.entered()
    info = pool.get(job_id)

    gate.open()
    pool.wait(job_id, SECONDS)

    assert info.status == "RUNNING"
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.status = "SUCCESS"  # type: ignore[misc]


def test_changing_a_picture_changes_no_job(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    pool.add()
    gate.entered()
    job_id = pool.add(name="Ada")

    pool.get(job_id).kwargs["name"] = "Eve"  # type: ignore[index]

    assert pool.get(job_id).kwargs == {"name": "Ada"}


@pytest.mark.parametrize(
    ("current", "total", "percent"),
    [
        (0, 0, 0),
        (5, 0, 0),
        (0, 10, 0),
        (5, 10, 50),
        (29, 100, 29),
        (1, 3, 33),
        (2.999, 3, 99),
        (10, 10, 100),
        (20, 10, 100),
        (-5, 10, 0),
        (5, -10, 0),
        (0.5, 1.0, 50),
        pytest.param(10**307, 1, 100, id="an integer of 308 digits"),
    ],
)
def test_percent_is_the_done_part_between_0_and_100(
    site: Site, task: MakeTask, current: float, total: float, percent: int
) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add()
    gate.entered()

    pool.progress(job_id, current, total)

    assert pool.get(job_id).percent == percent


# get


def test_get_finds_a_job_in_each_of_its_states(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    first, second = pool.add(), pool.add()
    gate.entered()

    assert [pool.get(first).status, pool.get(second).status] == ["RUNNING", "WAITING"]
    pool.cancel(second)
    gate.open()
    pool.wait(first, SECONDS)
    assert [pool.get(first).status, pool.get(second).status] == ["SUCCESS", "FAILURE"]


def test_a_job_of_another_task_is_not_found(task: MakeTask) -> None:
    one, other = task(end, "one"), task(end, "other")
    job_id = one.add()
    one.wait(job_id, SECONDS)

    with pytest.raises(JobNotFound, match='"other" has no job'):
        other.get(job_id)


def test_what_was_forgotten_may_have_existed(task: MakeTask) -> None:
    pool = task(end, retention=0)
    job_id = pool.add()
    pool.close()

    with pytest.raises(JobNotFound) as missing:
        pool.get(job_id)

    assert f'"job" has no job {job_id}' in str(missing.value)
    assert "if it ever had" in str(missing.value)


def test_what_never_was_is_called_so(task: MakeTask) -> None:
    pool = task(end)
    pool.add()

    with pytest.raises(JobNotFound, match="no process of this site remembers that id"):
        pool.get(12)


def test_an_id_of_the_projects_own_making_may_have_existed(task: MakeTask) -> None:
    pool = task(end, retention=0, event={"next": lambda: 7})
    pool.add()
    pool.close()

    with pytest.raises(JobNotFound, match="if it ever had"):
        pool.get(7)


def test_job_not_found_is_a_lookup_error() -> None:
    assert issubclass(JobNotFound, LookupError)


# Retention


def test_ended_jobs_are_remembered_by_default(task: MakeTask) -> None:
    pool = task(end)
    good, bad = pool.add(), pool.add(fails=True)
    pool.close()

    assert (pool.get(good).response, pool.get(bad).response) == ("result", "it failed")
    assert dict(pool.jobs) == {}


@pytest.mark.parametrize("fails", [False, True])
def test_retention_0_forgets_successes_and_failures_at_once(task: MakeTask, *, fails: bool) -> None:
    pool = task(end, retention=0)
    job_id = pool.add(fails=fails)
    pool.close()

    for ask in (pool.get, pool.wait):
        with pytest.raises(JobNotFound):
            ask(job_id)
    assert pool.cancel(job_id) is False


def test_a_success_is_forgotten_after_its_retention_and_a_failure_is_not(task: MakeTask) -> None:
    pool = task(end, retention=0.1)
    good, bad = pool.add(), pool.add(fails=True)
    pool.wait(bad, SECONDS)
    info = pool.wait(good, SECONDS)
    assert info.ended_at is not None

    def forgotten() -> bool:
        try:
            pool.get(good)
        except JobNotFound:
            return True
        return False

    until(forgotten, "the success to be forgotten")
    assert datetime.now(UTC) - info.ended_at >= timedelta(seconds=0.1)
    assert pool.get(bad).status == "FAILURE"


def test_the_settings_retention_holds_where_a_definition_says_nothing(
    task: MakeTask, settings: Settings
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION": 0}
    forgets, remembers = task(end, "forgets"), task(end, "remembers", retention=60)
    first, second = forgets.add(), remembers.add()
    forgets.close()

    assert remembers.wait(second, SECONDS).response == "result"
    with pytest.raises(JobNotFound):
        forgets.get(first)


def test_retention_max_forgets_the_oldest_of_successes_and_failures_apart(
    task: MakeTask, settings: Settings
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION_MAX": 3}
    pool = task(end, worker_nums=1)
    bad = [pool.add(fails=True) for _ in range(2)]
    good = [pool.add() for _ in range(5)]
    bad += [pool.add(fails=True) for _ in range(2)]
    pool.close()

    def known(ids: list[int]) -> list[int]:
        found = []
        for job_id in ids:
            try:
                found.append(pool.get(job_id).id)
            except JobNotFound:
                pass
        return found

    assert known(good) == good[-3:]
    assert known(bad) == bad[-3:]


def test_an_id_that_was_forgotten_may_be_given_again(task: MakeTask) -> None:
    pool = task(end, retention=0.05, event={"next": lambda: 7})
    pool.wait(pool.add(), SECONDS)
    time.sleep(0.06)

    pool.add()

    assert pool.wait(7, SECONDS).status == "SUCCESS"


# wait


def test_wait_answers_the_ended_job(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate)
    job_id = pool.add("result")
    gate.entered()
    threading.Timer(0.02, gate.open).start()

    info = pool.wait(job_id)

    assert (info.id, info.status, info.response) == (job_id, "SUCCESS", "result")
    assert info == pool.get(job_id)


def test_wait_for_a_job_that_has_ended_answers_at_once(task: MakeTask) -> None:
    pool = task(end)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)

    assert pool.wait(job_id, 0).status == "SUCCESS"


@pytest.mark.parametrize("timeout", [0, 0.05, -1])
def test_wait_gives_up_after_its_timeout(site: Site, task: MakeTask, timeout: float) -> None:
    pool = task(site.gate())
    job_id = pool.add()
    began = time.monotonic()

    with pytest.raises(TimeoutError) as error:
        pool.wait(job_id, timeout)

    assert max(0, timeout) <= time.monotonic() - began < 1
    assert str(error.value) == f'Job {job_id} of "job" has not ended within {timeout:g} s.'
    assert pool.get(job_id).status in ("WAITING", "RUNNING")


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_wait_takes_any_length_of_time(task: MakeTask, timeout: float) -> None:
    pool = task(lambda job_id: time.sleep(0.02))

    assert pool.wait(pool.add(), timeout).status == "SUCCESS"


def test_wait_for_a_job_that_is_not_there(task: MakeTask) -> None:
    pool = task(end)

    with pytest.raises(JobNotFound):
        pool.wait(12, 5)


@pytest.mark.parametrize("retention", [0, 60])
@pytest.mark.parametrize("how", ["returns", "raises", "is cancelled", "is lost", "times out"])
def test_all_who_wait_get_the_ended_job_retention_or_not(task: MakeTask, how: str, retention: float) -> None:
    go = threading.Event()

    def handler(job_id: int) -> None:
        assert go.wait(SECONDS)
        if how == "raises":
            raise ValueError

    pool = task(handler, retention=retention, timeout=0.3 if how == "times out" else SECONDS)
    job_id = pool.add()
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(pool.wait(job_id, SECONDS).status)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.02)

    if how == "is cancelled":
        pool.cancel(job_id)
    elif how == "is lost":
        pool.close(0)
    elif how != "times out":
        go.set()

    for thread in threads:
        thread.join(SECONDS)
    assert got == (["SUCCESS"] if how == "returns" else ["FAILURE"]) * 4
    go.set()


def test_waiting_for_a_job_that_is_retried_waits_for_its_last_run(task: MakeTask) -> None:
    def handler(job_id: int) -> int:
        job = current_job()
        assert job is not None
        if job.attempt < 3:
            raise ValueError
        return job.attempt

    pool = task(handler, attempts=5, attempt_after=20)

    assert pool.wait(pool.add(), SECONDS).response == 3


def test_waiting_inside_the_jobs_own_add_event_raises_at_once(task: MakeTask) -> None:
    errors: list[BaseException] = []

    def on_add(job_id: int) -> None:
        with pytest.raises(RuntimeError, match="return from event") as error:
            pool.wait(job_id, 1)
        errors.append(error.value)

    pool = task(end, event={"add": on_add})

    job_id = pool.add()

    assert len(errors) == 1
    assert not isinstance(errors[0], TimeoutError)
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


@pytest.mark.xfail(reason="not built: a wait that can't end is not noticed")
def test_a_pool_whose_workers_all_wait_for_its_own_waiting_jobs_says_so(task: MakeTask) -> None:
    def handler(job_id: int, depth: int) -> str:
        if depth == 0:
            return "the end"
        return str(pool.wait(pool.add(depth - 1), 0.3).response)

    pool = task(handler, worker_nums=2, timeout=5)

    info = pool.wait(pool.add(2), SECONDS)

    assert info.error is not None
    assert info.error.type == "RuntimeError"


def test_waiting_in_a_handler_for_another_pools_job_works(task: MakeTask) -> None:
    inner = task(lambda job_id: "inner", "inner", worker_nums=1)
    outer = task(lambda job_id: inner.wait(inner.add(), SECONDS).response, "outer", worker_nums=1)

    assert outer.wait(outer.add(), SECONDS).response == "inner"


# jobs


def test_jobs_are_those_that_wait_and_run_and_no_others(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    running, cancelled, waiting = pool.add(), pool.add(), pool.add()
    gate.entered()
    pool.cancel(cancelled)

    assert list(pool.jobs) == [running, waiting]
    assert {job_id: info.status for job_id, info in pool.jobs.items()} == {
        running: "RUNNING",
        waiting: "WAITING",
    }
    assert [info.id for info in pool.jobs.values()] == [running, waiting]
    assert len(pool.jobs) == 2
    assert running in pool.jobs
    assert cancelled not in pool.jobs
    assert pool.jobs[waiting] == pool.get(waiting)
    assert pool.jobs.get(cancelled) is None


def test_jobs_that_are_not_there_are_key_errors(site: Site, task: MakeTask) -> None:
    pool = task(site.gate())

    for key in (12, "12", None, 1.5):
        with pytest.raises(KeyError):
            pool.jobs[key]  # type: ignore[index]


def test_jobs_can_not_be_written(site: Site, task: MakeTask) -> None:
    pool = task(site.gate())
    job_id = pool.add()

    with pytest.raises(TypeError):
        pool.jobs[job_id] = pool.get(job_id)  # type: ignore[index]
    with pytest.raises(TypeError):
        del pool.jobs[job_id]  # type: ignore[attr-defined]


def test_jobs_iterate_a_snapshot_while_jobs_come_and_go(task: MakeTask) -> None:
    pool = task(end, worker_nums=4, size=10_000)
    stop = threading.Event()
    errors: list[BaseException] = []

    def walk() -> None:
        try:
            while not stop.is_set():
                for job_id in pool.jobs:
                    pool.jobs.get(job_id)
                for job_id, info in pool.jobs.items():
                    assert (info.id, info.status in ("WAITING", "RUNNING")) == (job_id, True)
        except BaseException as error:
            errors.append(error)

    walkers = [threading.Thread(target=walk) for _ in range(2)]
    for walker in walkers:
        walker.start()
    for _ in range(1_000):
        pool.add()
    stop.set()
    for walker in walkers:
        walker.join(SECONDS)

    assert errors == []


def test_no_reader_sees_a_status_with_the_fields_of_another_moment(task: MakeTask) -> None:
    pool = task(end, worker_nums=2, attempts=1, attempt_after=0, size=10_000)
    ids: list[int] = []
    stop = threading.Event()
    wrong: list[object] = []

    def look() -> None:
        while not stop.is_set():
            for job_id in ids[-3:]:
                info = pool.get(job_id)
                ended = info.status in ("SUCCESS", "FAILURE")
                right = (
                    (info.ended_at is not None) == ended
                    and (info.error is not None) == (info.status == "FAILURE")
                    and (info.response is not None) == ended
                    and (info.attempt > 0 or info.status == "WAITING")
                )
                if not right:
                    wrong.append(info)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(500):
        ids.append(pool.add(fails=bool(number % 2)))
    stop.set()
    for reader in readers:
        reader.join(SECONDS)

    assert wrong == []


# Numbers


def test_metrics_count_what_happened_and_what_is(
    site: Site, task: MakeTask, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    gate = site.gate()

    def handler(job_id: int, what: str) -> None:
        if what == "fails":
            raise ValueError
        if what == "blocks":
            gate(job_id)

    caplog.set_level(logging.CRITICAL, "yao_tasks")
    pool = task(handler, worker_nums=1, size=2, attempts=1, attempt_after=0)
    pool.wait(pool.add("returns"), SECONDS)
    pool.wait(pool.add("fails"), SECONDS)
    pool.add("blocks")
    gate.entered()
    pool.add("returns")
    pool.cancel(pool.add("returns"))

    metrics = pool.metrics()

    counted = {key: metrics[key] for key in ("added", "started", "succeeded", "retried", "refused")}
    assert counted == {"added": 5, "started": 4, "succeeded": 1, "retried": 1, "refused": 0}
    assert metrics["failed"] == {"raised": 1, "timeout": 0, "cancelled": 1, "lost": 0}
    now = {key: metrics[key] for key in ("waiting", "delayed", "running", "workers", "stuck", "paused")}
    assert now == {"waiting": 1, "delayed": 0, "running": 1, "workers": 1, "stuck": 0, "paused": False}
    assert 0 < metrics["oldest_waiting"] < SECONDS
