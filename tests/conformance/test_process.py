"""API: `Process`. The verbs of the original document, and what its examples expect."""

import logging

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.conformance.conftest import MakeTask, Notes
from tests.conftest import SECONDS, Site
from yao_tasks import Process, tasks
from yao_tasks.errors import JobNotFound, TaskNotFound

ITS_FIELDS = {"id", "status", "current", "total", "message", "response"}


# Verbs


def test_add_answers_an_id_and_get_six_fields(task: MakeTask) -> None:
    task(lambda job_id, *args: {"message": "ok", "args": list(args)}, "test")

    job_id = Process("tasks.test.add", "test_data", 123)
    tasks["test"].wait(job_id, SECONDS)

    assert Process("tasks.test.get", job_id) == {
        "id": job_id,
        "status": "SUCCESS",
        "current": 0,
        "total": 0,
        "message": "",
        "response": {"message": "ok", "args": ["test_data", 123]},
    }


def test_right_after_add_a_job_waits_with_nothing_done(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    task(gate, "test", worker_nums=1)
    Process("tasks.test.add")
    gate.entered()

    job_id = Process("tasks.test.add", "test_data", 123)

    assert Process("tasks.test.get", job_id) == {
        "id": job_id,
        "status": "WAITING",
        "current": 0,
        "total": 0,
        "message": "",
        "response": None,
    }


def test_a_failure_is_called_so_and_its_response_is_the_errors_text(task: MakeTask) -> None:
    def handler(job_id: int, what: object, data: object) -> None:
        raise ValueError(f"can't do {what}")

    pool = task(handler, "error_test")

    job_id = Process("tasks.error_test.add", None, "test data")
    pool.wait(job_id, SECONDS)

    info = Process("tasks.error_test.get", job_id)
    assert (info["status"], info["response"]) == ("FAILURE", "can't do None")
    assert set(info) == ITS_FIELDS


def test_twenty_jobs_added_at_once_all_end(task: MakeTask) -> None:
    pool = task(lambda job_id, name, number: name, "concurrent", worker_nums=4)

    ids = [Process("tasks.concurrent.add", f"JOB_{number}", number) for number in range(1, 21)]

    assert all(job_id > 0 for job_id in ids)
    pool.close()
    assert [Process("tasks.concurrent.get", job_id)["response"] for job_id in ids] == [
        f"JOB_{number}" for number in range(1, 21)
    ]


@pytest.mark.parametrize("verb", ["add", "Add", "ADD"])
def test_the_case_of_a_verb_does_not_matter(task: MakeTask, verb: str) -> None:
    pool = task(lambda job_id: "result", "test")

    job_id = Process(f"tasks.test.{verb}")

    assert pool.wait(job_id, SECONDS).response == "result"
    assert Process("tasks.test.Get", job_id)["id"] == job_id


def test_the_case_of_a_task_does(task: MakeTask) -> None:
    task(lambda job_id: None, "test")

    with pytest.raises(TaskNotFound, match='Did you mean "test"'):
        Process("tasks.Test.add")


def test_ids_of_tasks_may_have_dots(task: MakeTask) -> None:
    pool = task(lambda job_id: "sent", "mail.to.welcome")

    job_id = Process("tasks.mail.to.welcome.add")

    assert pool.wait(job_id, SECONDS).response == "sent"
    assert Process("tasks.mail.to.welcome.get", job_id)["status"] == "SUCCESS"


def test_a_task_may_be_named_like_a_verb(task: MakeTask) -> None:
    task(lambda job_id: "got", "get")

    job_id = Process("tasks.get.add")
    tasks["get"].wait(job_id, SECONDS)

    assert Process("tasks.get.get", job_id)["response"] == "got"


def test_get_of_an_unknown_job_raises(task: MakeTask) -> None:
    task(lambda job_id: None, "test")

    with pytest.raises(JobNotFound, match='"test" has no job 12'):
        Process("tasks.test.get", 12)


def test_cancel_is_a_bool(site: Site, task: MakeTask) -> None:
    task(site.gate(), "test")
    job_id = Process("tasks.test.add")

    answers = [
        Process("tasks.test.cancel", job_id),
        Process("tasks.test.cancel", job_id),
        Process("tasks.test.cancel", 12),
    ]

    assert answers == [True, False, False]
    assert Process("tasks.test.get", job_id)["status"] == "FAILURE"


def test_config_is_a_dict_of_the_definition(task: MakeTask) -> None:
    pool = task(lambda job_id: None, "test", worker_nums=3, timeout=7, attempt_after=200)

    config = Process("tasks.test.config")

    assert type(config) is dict
    assert config == dict(pool.config)
    assert (config["name"], config["worker_nums"], config["timeout"]) == ("A test", 3, 7)
    assert config["process"]


def test_progress_is_none_and_moves_the_bar(site: Site, task: MakeTask, notes: Notes) -> None:
    gate = site.gate()
    task(gate, "test", event=notes.events("progress"))
    job_id = Process("tasks.test.add")
    gate.entered()

    assert Process("tasks.test.progress", job_id, 1, 100, "Progress 1/100") is None

    info = Process("tasks.test.get", job_id)
    assert (info["status"], info["current"], info["total"]) == ("RUNNING", 1, 100)
    assert info["message"] == "Progress 1/100"
    assert [note.values for note in notes.all] == [(1, 100, "Progress 1/100")]


def test_progress_of_an_ended_job_raises(task: MakeTask) -> None:
    pool = task(lambda job_id: None, "test")
    job_id = Process("tasks.test.add")
    pool.wait(job_id, SECONDS)

    with pytest.raises(JobNotFound):
        Process("tasks.test.progress", job_id, 1, 2, "too late")


# Refusals are 0, with a line


def refused(caplog: pytest.LogCaptureFixture, task: str, text: str) -> None:
    (line,) = [record for record in caplog.records if "no job was added" in record.getMessage()]
    assert line.levelno >= logging.WARNING
    assert line.getMessage().startswith(task)
    assert text in line.getMessage()


def test_a_full_queue_is_0_with_a_line(site: Site, task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    task(site.gate(), "test", worker_nums=1, size=1)
    Process("tasks.test.add"), Process("tasks.test.add")

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", "1 jobs waiting")


def test_a_closed_pool_is_0_with_a_line(task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    task(lambda job_id: None, "test").close()

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", "closed")


@pytest.mark.parametrize("answer", ["7", 1.5, True, 0, -1, 2**53, None])
def test_a_bad_id_is_0_with_a_line(task: MakeTask, caplog: pytest.LogCaptureFixture, answer: object) -> None:
    task(lambda job_id: None, "test", event={"next": lambda: answer})

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", repr(answer))


def test_a_taken_id_is_0_with_a_line(task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    task(lambda job_id: None, "test", event={"next": lambda: 7})
    Process("tasks.test.add")

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", "Job 7")


def test_a_failing_next_event_is_0_with_a_line(task: MakeTask, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> int:
        raise ZeroDivisionError("no id today")

    task(lambda job_id: None, "test", event={"next": fail})

    assert Process("tasks.test.add") == 0

    refused(caplog, "test", "no id today")


def test_what_is_no_refusal_raises(site: Site) -> None:
    (site.folder / "broken.json").write_text('{"name": "Broken"}')
    site.task("whole", lambda job_id: None)

    with pytest.raises(ImproperlyConfigured, match='"process" is missing'):
        Process("tasks.broken.add")
    with pytest.raises(TaskNotFound, match="whole"):
        Process("tasks.hole.add")


# Progress
