"""Chapter 任务生命周期: the states, their events, and what becomes of memory."""

from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from tests.seed.conftest import Script
from yao_tasks import Process, current_job
from yao_tasks.errors import JobNotFound


class Notes:
    """What events told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def events(self) -> dict[str, Any]:
        return {
            "add": lambda job_id: self.told.append(("add", job_id)),
            "success": lambda job_id, result: self.told.append(("success", result)),
            "error": lambda job_id, error: self.told.append(("error", type(error).__name__)),
            "progress": lambda job_id, *report: self.told.append(("progress", report)),
        }


def test_WAITING_it_takes_a_place_in_the_queue_and_can_be_asked_for(site: Site) -> None:
    gate, notes = site.gate(), Notes()
    pool = site.task("job", gate, worker_nums=1, size=1, event=notes.events())
    Process("tasks.job.add")
    gate.entered()

    job_id = Process("tasks.job.add")

    assert Process("tasks.job.get", job_id)["status"] == "WAITING"
    assert pool.metrics()["queued"] == 1
    assert Process("tasks.job.add") == 0  # no place is left
    assert [name for name, _ in notes.told] == ["add", "add"]


def test_RUNNING_it_can_report_and_be_cancelled_and_its_time_is_bounded(site: Site) -> None:
    gate, notes = site.gate(), Notes()
    pool = site.task("job", gate, event=notes.events(), timeout=0.05)
    late = Process("tasks.job.add")
    gate.entered()
    Process("tasks.job.progress", late, 1, 4, "a quarter")
    timed_out = pool.wait(late, SECONDS)
    slow = site.task("slow", gate)
    stopped = slow.add()
    gate.entered()

    assert Process("tasks.slow.cancel", stopped) is True

    assert timed_out.error is not None
    assert (timed_out.status, timed_out.error.kind) == ("FAILURE", "timeout")
    assert ("progress", (1, 4, "a quarter")) in notes.told
    assert slow.wait(stopped, SECONDS).status == "FAILURE"


def test_SUCCESS_it_has_a_result_and_its_event_comes(site: Site) -> None:
    notes = Notes()
    pool = site.task("job", lambda job_id: {"message": "ok"}, event=notes.events())

    job_id = Process("tasks.job.add")
    pool.wait(job_id, SECONDS)

    until(lambda: len(notes.told) == 2, "the events")
    assert notes.told == [("add", job_id), ("success", {"message": "ok"})]


def test_FAILURE_comes_with_the_last_attempt_and_one_event(site: Site) -> None:
    notes, runs = Notes(), []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        runs.append(job.attempt)
        raise ValueError("no")

    pool = site.task("job", handler, attempts=2, event=notes.events())
    job_id = Process("tasks.job.add")

    ended = pool.wait(job_id, SECONDS)

    until(lambda: len(notes.told) == 2, "the events")
    assert (ended.status, ended.response, runs) == ("FAILURE", "no", [1, 2, 3])
    assert notes.told == [("add", job_id), ("error", "ValueError")]


def test_内存管理_an_ended_job_leaves_jobs_and_memory(site: Site) -> None:
    pool = site.task("job", lambda job_id: None, retention=0)
    job_id = Process("tasks.job.add")

    until(lambda: not pool.jobs, "it to end")

    with pytest.raises(JobNotFound):
        Process("tasks.job.get", job_id)


def test_内存优化建议_monitorTask_check(site: Site, script: Script) -> None:
    looking = script("looking")
    gate = site.gate()
    pool = site.task("example", gate)
    job_id = Process("tasks.example.add")
    gate.entered()

    running = looking.monitor_task_check(job_id)
    gate.open()
    pool.wait(job_id, SECONDS)

    assert running["running"] is True
    assert looking.monitor_task_check(job_id) == {"completed": True, "status": "SUCCESS"}
    assert looking.monitor_task_check(job_id + 10**6) == {"completed": True, "status": "cleaned"}


def test_内存优化建议_addTasksBatch(site: Site, script: Script) -> None:
    looking = script("looking")
    done: list[int] = []
    pool = site.task("example", lambda job_id, number: done.append(number))
    batches = looking.add_tasks_batch_prepare([{"data": number} for number in range(25)])

    answers = [looking.add_tasks_batch_execute(batches, index) for index in range(4)]

    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert [one.get("next_batch") for one in answers] == [1, 2, 3, None]
    assert answers[3]["completed"] is True
    until(lambda: not pool.jobs, "all to run")
    assert sorted(done) == list(range(25))
