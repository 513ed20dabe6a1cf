"""Chapter 使用示例: a hundred tasks, and the welcome mail with its status."""

import pytest

from tests.conftest import SECONDS, Site, until
from tests.seed.conftest import Script
from yao_tasks import Progress


def test_基础示例_99_tasks_are_added_or_answered_with_0(
    site: Site, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = site.gate()
    site.task("test", gate, worker_nums=10, size=80)

    script("mail").simple_task_example()

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["added the task"] * 90 + ["could not add the task"] * 9


def test_完整的邮件发送示例_it_is_queued_shown_and_sent(site: Site, script: Script) -> None:
    gate, sent = site.gate(), []

    def send(job_id: int, address: str, name: str) -> dict[str, str]:
        Progress("tasks.welcome_email.process", job_id, 1, 3, "connecting")
        gate(job_id)
        sent.append((address, name))
        return {"message": "sent"}

    pool = site.task("welcome_email", send)
    mail = script("mail")

    added = mail.api_handler({"action": "send", "email": "ada@example.org", "name": "Ada"})
    gate.entered()
    running = mail.api_handler({"action": "status", "task_id": added["task_id"]})
    gate.open()
    pool.wait(added["task_id"], SECONDS)
    ended = mail.check_email_status(added["task_id"])

    assert set(added) == {"success", "task_id", "message"}
    assert added["success"] is True
    assert running == {
        "success": True,
        "status": "RUNNING",
        "progress": {"current": 1, "total": 3, "percentage": 33},
        "message": "connecting",
        "result": None,
    }
    assert (ended["status"], ended["result"]) == ("SUCCESS", {"message": "sent"})
    assert sent == [("ada@example.org", "Ada")]


def test_完整的邮件发送示例_what_can_not_be_done_is_told(site: Site, script: Script) -> None:
    gate = site.gate()
    pool = site.task("welcome_email", gate, worker_nums=1, size=1)
    mail = script("mail")
    answers = [mail.send_welcome_email("ada@example.org", "Ada")["success"] for _ in range(3)]
    waiting = mail.check_email_status(max(pool.jobs))

    assert answers == [True, True, False]
    assert (waiting["status"], waiting["progress"]["percentage"]) == ("WAITING", 0)
    assert mail.check_email_status(404)["success"] is False
    assert mail.check_email_status("x")["message"].startswith("could not ask for the task: ")
    assert mail.api_handler({"action": "delete"}) == {"success": False, "message": "no such action"}
    gate.open()
    until(lambda: not pool.jobs, "all to run")
