"""Chapters 任务处理器 and 任务处理流程: the script that the document prints, and the three calls around it."""

from collections.abc import Callable

import pytest

from tests.conftest import SECONDS, Site, until
from tests.seed.conftest import EXAMPLES, Script
from yao_tasks import Process
from yao_tasks.errors import JobNotFound
from yao_tasks.pools import Pool


def test_任务处理器_its_script_does_what_it_prints(
    script: Script, definition: Callable[..., Pool], capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = [block.text for block in EXAMPLES if block.language == "json"]
    pool = definition("example", text)

    job_id = Process("tasks.example.add", "任务-1")
    pool.wait(job_id, SECONDS)

    told: list[str] = []
    until(lambda: told.extend(capsys.readouterr().out.splitlines()) or len(told) == 3, "its events")
    assert told == [
        "OnAdd: #1025",
        "OnProgress: #1025 Progress 1/100 1/100",
        "OnSuccess: #1025 {'message': 'ok'}",
    ]
    info = Process("tasks.example.get", job_id)
    assert (info["current"], info["total"], info["message"]) == (1, 100, "Progress 1/100")


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
