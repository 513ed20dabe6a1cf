"""Chapter 任务处理流程: adding a job, reporting its progress, asking how it stands."""

import pytest

from tests.conftest import SECONDS, Site
from yao_tasks import Process
from yao_tasks.errors import JobNotFound


def test_任务处理流程_add_answers_an_id_or_0(site: Site) -> None:
    gate = site.gate()
    site.task("job", gate, worker_nums=1, size=1)

    answers = [Process("tasks.job.add", "args", 1) for _ in range(3)]

    assert [answer > 0 for answer in answers] == [True, True, False]
    assert answers[2] == 0
    assert all(type(answer) is int for answer in answers)


def test_任务处理流程_progress_inside_the_handler_calls_its_event(site: Site) -> None:
    told: list[tuple[object, ...]] = []

    def handler(job_id: int) -> None:
        Process("tasks.job.progress", job_id, 3, 10, "rendering")

    pool = site.task("job", handler, event={"progress": lambda *args: told.append(args)})
    job_id = Process("tasks.job.add")

    pool.wait(job_id, SECONDS)

    assert told == [(job_id, 3, 10, "rendering")]


def test_任务处理流程_get_raises_for_a_job_that_is_not_there(site: Site) -> None:
    site.task("job", lambda job_id: None)

    with pytest.raises(JobNotFound):
        Process("tasks.job.get", 404)
