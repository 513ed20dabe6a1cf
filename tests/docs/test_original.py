"""docs/process.md: the original's example runs as it stands there."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SECONDS, Site, until
from tests.docs.markdown import ROOT, blocks, read
from yao_tasks import Process, boot, tasks
from yao_tasks.process import FIELDS

PAGE = ROOT / "docs" / "process.md"


@pytest.fixture
def example(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the example, in a site of their own."""
    for block in blocks(read(PAGE)):
        if block.file is not None:
            path = tmp_path / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("scripts", "scripts.task"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, name)
    boot.reset()


@pytest.mark.usefixtures("example")
def test_the_originals_example_runs_as_the_page_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    usage = blocks(read(PAGE))[0]
    said: dict[str, Any] = {}
    exec(usage.text, said)  # a page of our own

    ended = tasks["example"].wait(said["job_id"], SECONDS)

    assert (ended.id, ended.status) == (1025, "SUCCESS")
    assert said["state"].keys() == set(FIELDS)
    assert Process("tasks.example.get", 1025) == {
        "id": 1025,
        "status": "SUCCESS",
        "current": 1,
        "total": 100,
        "message": "Progress 1/100",
        "response": {"message": "ok"},
    }
    told: list[str] = []
    until(lambda: told.extend(capsys.readouterr().out.splitlines()) or len(told) == 3, "its events")
    assert told == [
        "OnAdd: #1025",
        "OnProgress: #1025 Progress 1/100 1/100",
        "OnSuccess: #1025 {'message': 'ok'}",
    ]
