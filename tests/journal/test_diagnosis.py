"""`manage.py tasks check --run` and `debug` with recorded tasks: what the rows tell."""

import json
import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.conftest import SECONDS
from tests.django.test_commands import run
from tests.journal.conftest import Recorded, written
from yao_tasks import boot, conf
from yao_tasks.models import JobRecord

log = logging.getLogger("shop")
PROBLEM = "the mail server is gone"


def handler(job_id: int, good: bool) -> str:
    log.warning("sending %s", good)
    if not good:
        raise ConnectionError(PROBLEM)
    return "sent"


@pytest.fixture
def recorded(task: Recorded) -> list[int]:
    """A success and a failure in a second run, of an earlier process."""
    pool = task(handler, attempts=1)
    ids = [pool.add(True), pool.add(False)]
    for job_id in ids:
        pool.wait(job_id, SECONDS)
    written()
    return ids


@pytest.mark.slow
def test_check_run_counts_the_rows_of_recorded_tasks(recorded: list[int]) -> None:
    boot.reset()

    found = json.loads(run("tasks", "check", "--run", "--json")[0])

    (numbers,) = found["tasks"]
    assert (numbers["is_of_all"], numbers["waiting"], numbers["running"]) == (True, 0, 0)
    assert (numbers["succeeded"], numbers["failed"], numbers["success_rate"]) == (1, 1, 0.5)
    assert 0 <= numbers["run_time"] < SECONDS
    assert "failures" in [one["code"] for one in found["findings"]]
    text, _ = run("tasks", "check", "--run")
    earlier = JobRecord.objects.using(conf.current().database).filter(job_id=recorded[1])
    earlier.update(ended_at=timezone.now() - timedelta(hours=1, seconds=1))
    (later,) = json.loads(run("tasks", "check", "--run", "--json")[0])["tasks"]
    assert (later["succeeded"], later["failed"]) == (1, 0)
    assert "Only 50.0 % of the last hour's jobs succeeded. Look at the failures" in text


def test_debug_tells_all_of_a_recorded_job(recorded: list[int]) -> None:
    text, code = run("tasks", "debug", "job", str(recorded[1]))
    data = json.loads(run("tasks", "debug", "job", str(recorded[1]), "--json")[0])

    assert code == 0
    assert f"{recorded[1]} of job: FAILURE after run 2" in text
    assert f"ConnectionError: {PROBLEM}" in text
    assert "run 1: " in text
    assert text.count("WARNING shop: sending False") == 2
    assert "  worker_nums: 2" in text
    assert "handler: can be imported; it has no health_check beside it" in text
    assert [one["attempt"] for one in data["runs"]] == [1]
    assert (data["job"]["id"], data["task"]["worker_nums"]) == (recorded[1], 2)
    assert len([line for line in data["log"] if line["text"] == "sending False"]) == 2
    assert "args" not in data["job"]
    boot.reset()
    assert "log: no lines here" in run("tasks", "debug", "job", str(recorded[1]))[0]


def test_debug_of_an_unknown_job_of_a_recorded_task_is_a_usage_error(recorded: list[int]) -> None:
    assert run("tasks", "debug", "job", "404")[1] == 2
