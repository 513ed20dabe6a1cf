"""Chapter 任务处理器: the script that the document prints."""

from collections.abc import Callable

import pytest

from tests.conftest import SECONDS, until
from tests.seed.conftest import EXAMPLES, Script
from yao_tasks import Process
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
