"""API: what is promised of threads alone, since they can't be stopped, and tell ends themselves."""

import threading
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask, Notes
from tests.conformance.test_retry_policy import times_out
from tests.conftest import SECONDS, Site
from yao_tasks import current_job

pytestmark = pytest.mark.kinds("thread")


def test_a_timed_out_run_is_not_retried_on_threads_and_the_text_says_why(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, timeout=0.05, attempts=3, attempt_after=0)

    info = pool.wait(pool.add(), SECONDS)

    assert info.attempt == 1
    assert info.error is not None
    assert info.error.type == "yao_tasks.errors.JobTimeout"
    assert "0.05 s" in info.error.message
    assert "isn't tried again" in info.error.message
    assert "thread can't be stopped" in info.error.message
    assert info.response == info.error.message


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"retry_on": ["builtins.Exception"]},
        {"retry_on": ["builtins.TimeoutError", "yao_tasks.errors.TasksError"]},
        {"retry_on": ["yao_tasks.errors.JobTimeout"], "give_up_on": ["builtins.TimeoutError"]},
    ],
)
def test_a_thread_that_timed_out_is_not_tried_again_and_its_error_says_why(
    task: MakeTask, keys: dict[str, Any]
) -> None:
    release = threading.Event()
    pool, runs = times_out(task, release, **keys)

    info = pool.wait(pool.add(), SECONDS)
    release.set()

    assert (info.status, info.attempt, info.error and info.error.kind) == ("FAILURE", 1, "timeout")
    assert "longer than 0.1 s" in info.response
    assert "a thread can't be stopped" in info.response
    assert runs == [1]


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
