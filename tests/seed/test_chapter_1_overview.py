"""Chapter 概述: what tasks are for, and how they work."""

import threading

from tests.conftest import SECONDS, Site, until
from yao_tasks import Process
from yao_tasks.errors import TasksError


def test_工作机制_1_a_pool_is_called_again_and_again(site: Site) -> None:
    pool = site.task("job", lambda job_id, number: number * 2)

    ids = [Process("tasks.job.add", number) for number in range(5)]

    assert [pool.wait(one, SECONDS).response for one in ids] == [0, 2, 4, 6, 8]


def test_工作机制_2_3_a_new_job_waits_and_worker_nums_of_them_run_at_once(site: Site) -> None:
    gate = site.gate()
    site.task("job", gate, worker_nums=3)

    ids = [Process("tasks.job.add") for _ in range(5)]

    gate.entered(3)
    statuses = [Process("tasks.job.get", one)["status"] for one in ids]
    assert statuses == ["RUNNING"] * 3 + ["WAITING"] * 2


def test_工作机制_4_5_progress_is_live_and_a_failure_is_tried_again(site: Site) -> None:
    seen, go = threading.Event(), threading.Event()

    def handler(job_id: int) -> str:
        Process("tasks.job.progress", job_id, 1, 2, "half")
        if not seen.is_set():
            seen.set()
            assert go.wait(SECONDS)
            raise ConnectionError("try again")
        return "sent"

    pool = site.task("job", handler, attempts=1)
    job_id = Process("tasks.job.add")
    assert seen.wait(SECONDS)

    live = Process("tasks.job.get", job_id)
    go.set()

    assert (live["status"], live["current"], live["total"], live["message"]) == ("RUNNING", 1, 2, "half")
    ended = pool.wait(job_id, SECONDS)
    assert (ended.status, ended.response, ended.attempt) == ("SUCCESS", "sent", 2)


def test_使用场景_a_mail_that_fails_is_no_fault_of_the_sign_up(site: Site) -> None:
    def send(job_id: int, address: str) -> None:
        raise OSError("the mail server is gone")

    pool = site.task("welcome_email", send)

    def sign_up(address: str) -> int:
        return int(Process("tasks.welcome_email.add", address))

    try:
        job_id = sign_up("ada@example.org")
    except (OSError, TasksError) as error:
        raise AssertionError("the sign-up failed with its mail") from error
    until(lambda: pool.get(job_id).status == "FAILURE", "the mail to fail")
