"""Chapter 任务配置: the definition file that the document prints, and the events that it describes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import models

from tests.conftest import KEYS, SECONDS, Site, until
from tests.seed.conftest import EXAMPLES, Script
from yao_tasks import Process, Progress, checks
from yao_tasks.core import definitions
from yao_tasks.pools import Pool

Rows = dict[str, type[models.Model]]


def test_任务配置_the_printed_file_loads_unchanged(script: Script, definition: Callable[..., Pool]) -> None:
    (text,) = [block.text for block in EXAMPLES if block.language == "json"]

    pool = definition("example", text)

    names = {event: f"scripts.task.{name}" for event, name in zip(EVENTS, FUNCTIONS, strict=True)}
    assert [str(fault) for fault in checks.all_faults() if fault.is_error] == []
    assert (pool.config.name, pool.config.process, dict(pool.config.event)) == (
        "示例任务",
        "scripts.task.Send",
        names,
    )
    numbers = {
        key: pool.config[key] for key in ("worker_nums", "attempts", "attempt_after", "timeout", "size")
    }
    assert numbers == {"worker_nums": 10, "attempts": 3, "attempt_after": 0.2, "timeout": 2, "size": 1000}
    job_id = Process("tasks.example.add", "hello")
    assert (job_id, pool.wait(job_id, SECONDS).response) == (1025, {"message": "ok"})


EVENTS = ("next", "add", "success", "error", "progress")
FUNCTIONS = ("NextID", "OnAdd", "OnSuccess", "OnError", "OnProgress")


def test_配置参数说明_seven_keys_are_required_and_the_events_are_not() -> None:
    required = {name for name, key in definitions.KEYS.items() if key.required}

    assert required == {*KEYS, "process"}
    assert set(definitions.EVENTS) == set(EVENTS)


def test_事件处理器说明_each_gets_what_its_section_says_and_when(site: Site) -> None:
    told: list[Any] = []

    def handler(job_id: int, good: bool) -> str:
        told.append("run")
        Progress("tasks.job.process", job_id, 1, 2, "half")
        if not good:
            raise ValueError("no")
        return "ok"

    ids = iter([17, 18])
    pool = site.task(
        "job",
        handler,
        worker_nums=1,
        event={
            "next": lambda: next(ids),
            "add": lambda *args: told.append(("add", *args)),
            "progress": lambda *args: told.append(("progress", *args)),
            "success": lambda *args: told.append(("success", *args)),
            "error": lambda job_id, error: told.append(("error", job_id, str(error))),
        },
    )
    for good in (True, False):
        pool.wait(Process("tasks.job.add", good), SECONDS)
        until(lambda: told[-1][0] in ("success", "error"), "the event")

    assert told == [
        ("add", 17), "run", ("progress", 17, 1, 2, "half"), ("success", 17, "ok"),
        ("add", 18), "run", ("progress", 18, 1, 2, "half"), ("error", 18, "no"),
    ]  # fmt: skip


@pytest.fixture
def saving(rows: Rows, site: Site, script: Script, add_script: Callable[..., None]) -> Callable[..., Pool]:
    """A task whose events are those of the section's example; what they sent is in `saving.sent`."""
    sent: list[dict[str, Any]] = []
    add_script("notification", send=sent.append)
    module = script("saving")

    def make(handler: Callable[..., Any]) -> Pool:
        functions = zip(EVENTS, FUNCTIONS, strict=True)
        return site.task("job", handler, event={event: getattr(module, name) for event, name in functions})

    make.sent = sent  # type: ignore[attr-defined]
    return make


def test_事件处理器示例_a_job_that_succeeds_is_a_row(saving: Any, rows: Rows, capsys: Any) -> None:
    def handler(job_id: int) -> dict[str, str]:
        for step in (1, 2):
            Progress("tasks.job.process", job_id, step, 2, f"step {step}")
        return {"message": "ok"}

    saving(handler)
    before = datetime.now(UTC)
    job_id = Process("tasks.job.add")

    until(lambda: saving.sent, "the notification")
    row = Process("models.task.find", job_id)
    assert (row["status"], row["result"], row["progress"]) == ("completed", {"message": "ok"}, 100)
    assert row["progress_message"] == "step 2"
    assert before <= row["created_at"] <= row["updated_at"] <= row["completed_at"]
    assert saving.sent == [{"type": "task_complete", "task_id": job_id, "result": {"message": "ok"}}]
    assert f"Task #{job_id}: 50% completed - step 1" in capsys.readouterr().out
    made_at = int(str(job_id)[:13]) / 1000
    assert before.timestamp() - 0.001 <= made_at <= row["created_at"].timestamp() + 0.001


def test_事件处理器示例_a_job_that_fails_is_a_row_and_an_alarm(saving: Any, rows: Rows) -> None:
    def handler(job_id: int) -> None:
        raise ConnectionError("no mail today")

    saving(handler)
    job_id = Process("tasks.job.add")

    until(lambda: saving.sent, "the notification")
    row = Process("models.task.find", job_id)
    assert (row["status"], row["error"], row["result"]) == ("failed", "no mail today", None)
    assert row["failed_at"] >= row["created_at"]
    assert saving.sent == [
        {"type": "task_error", "task_id": job_id, "error": "no mail today", "level": "error"}
    ]
