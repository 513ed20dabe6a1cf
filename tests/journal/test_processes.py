"""History: one process's recorded jobs, seen from another, and after its death."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.faults.conftest import Project

# One process that holds two jobs: one runs, one waits. It says its pid and their ids.
HOLD = """
import os, sys
from yao_tasks import tasks
pool = tasks["job"]
ids = [pool.add("hang"), pool.add("work")]
print(os.getpid(), *ids, flush=True)
"""

# Another one, that tries everything with the first of them.
LOOK = """
import json, sys
from yao_tasks import tasks
pool, job_id, other = tasks["job"], int({0}), int({1})
def said(call, *args):
    try:
        answer = call(*args)
    except Exception as error:
        return [type(error).__name__, str(error)]
    return getattr(answer, "status", answer)
print(json.dumps({{
    "get": said(pool.get, job_id), "other": said(pool.get, other), "wait": said(pool.wait, job_id, 0.2),
    "cancel": said(pool.cancel, job_id), "progress": said(pool.progress, job_id, 1, 2),
    "retry": pool.get(job_id).is_finished or said(pool.retry, job_id),
    "search": sorted(info.id for info in pool.search()), "jobs": list(pool.jobs),
    "kind": getattr(pool.get(job_id).error, "kind", None), "message": pool.get(job_id).response,
}}))
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Project]:
    """A project with a recorded task of one worker, and its tables."""
    project = Project(tmp_path)
    settings = tmp_path / "settings.py"
    options = '"OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"}'
    settings.write_text(
        settings.read_text().replace(
            '"NAME": BASE_DIR / "db.sqlite3"', f'"NAME": BASE_DIR / "db.sqlite3", {options}'
        )
    )
    project.task("job", "jobs.choose", worker_nums=1, timeout=60, record=True)
    out, err = project.start("migrate").communicate(timeout=60)
    assert "yao_tasks.0002" in out, out + err
    yield project
    project.end()


def hold(project: Project) -> tuple[Any, int, list[str]]:
    """Start the process that holds jobs. Answers it, its own pid and the jobs' ids."""
    process = project.start("shell", "-v", "0", "-c", HOLD)
    pid, *ids = process.stdout.readline().split()
    until(lambda: project.ledger(), "the first to run")
    return process, int(pid), ids


def look(project: Project, ids: list[str]) -> dict[str, Any]:
    out, err = project.start("shell", "-v", "0", "-c", LOOK.format(*ids)).communicate(timeout=60)
    assert out, err
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.slow
def test_another_process_sees_a_recorded_job_and_is_told_who_can_steer_it(recorded: Project) -> None:
    process, pid, ids = hold(recorded)

    found = until(lambda: (seen := look(recorded, ids))["get"] == "RUNNING" and seen, "its row", seconds=30)

    assert (found["other"], found["jobs"]) == ("WAITING", [])
    assert found["search"] == sorted(map(int, ids))
    assert found["wait"] == ["TimeoutError", f'Job {ids[0]} of "job" has not ended within 0.2 s.']
    for verb in ("cancel", "progress", "retry"):
        assert found[verb][0] == "JobElsewhere", found
        assert f":{pid}, which alone can steer it" in found[verb][1]
    assert process.poll() is None


@pytest.mark.slow
def test_what_a_killed_process_had_in_memory_is_lost_and_can_be_tried_again(recorded: Project) -> None:
    process, pid, ids = hold(recorded)
    until(lambda: look(recorded, ids)["get"] == "RUNNING", "its row", seconds=30)

    process.kill()
    process.communicate()
    found = look(recorded, ids)

    assert (found["get"], found["other"], found["kind"]) == ("FAILURE", "FAILURE", "lost")
    assert f":{pid} ended, and what it had in memory ended with it" in found["message"]
    again = f"from yao_tasks import tasks; tasks['job'].retry({ids[1]}); print(tasks['job'].wait({ids[1]}, 20).status)"
    out, err = recorded.start("shell", "-v", "0", "-c", again).communicate(timeout=60)
    assert out.splitlines()[-1] == "SUCCESS", err


@pytest.mark.slow
def test_a_stopped_process_is_alive(recorded: Project) -> None:
    process, _, ids = hold(recorded)
    until(lambda: look(recorded, ids)["get"] == "RUNNING", "its row", seconds=30)
    process.send_signal(signal.SIGSTOP)

    try:
        assert look(recorded, ids)["get"] == "RUNNING"
    finally:
        os.kill(process.pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_command_that_waited_for_its_jobs_has_written_them(recorded: Project) -> None:
    add = "from yao_tasks import tasks; print(*tasks['job'].add_many([('work',)] * 100))"

    out, err = recorded.start("shell", "-v", "0", "-c", add).communicate(timeout=60)

    ids = out.split()
    assert len(ids) == 100, err
    count = "from yao_tasks.models import JobRecord; print(JobRecord.objects.filter(status=3).count())"
    out, _ = recorded.start("shell", "-v", "0", "-c", count).communicate(timeout=60)
    assert out.split()[-1] == "100"
