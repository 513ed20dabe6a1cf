"""`manage.py tasks` and recorded jobs: what a command sees of other processes' jobs, and what it answers."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import SECONDS, Site
from tests.journal.conftest import Recorded, Rows, written
from yao_tasks import boot


def tasks(*args: object) -> tuple[str, int]:
    """What the command writes, and its exit code."""
    out, code = io.StringIO(), 0
    try:
        call_command("tasks", *map(str, args), stdout=out)
    except SystemExit as left:
        code = int(left.code or 0)
    except CommandError as error:
        return str(error), error.returncode
    return out.getvalue(), code


@pytest.fixture
def ids(site: Site, task: Recorded) -> list[int]:
    """A success and a failure of an earlier process."""

    def handler(job_id: int, password: str) -> str:
        if password == "hunter2-bad":
            raise ValueError("no luck")
        return "fine"

    pool = task(handler)
    found = [pool.add("hunter2"), pool.add("hunter2-bad")]
    for job_id in found:
        pool.wait(job_id, SECONDS)
    written()
    boot.reset()
    return found


def test_jobs_lists_those_that_fit(ids: list[int]) -> None:
    out, code = tasks("jobs")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["id", str(ids[1]), str(ids[0])]
    assert "no luck" in out
    assert [row["id"] for row in json.loads(tasks("jobs", "job", "--status", "SUCCESS", "--json")[0])] == [
        ids[0]
    ]
    assert [row["id"] for row in json.loads(tasks("jobs", "--text", "LUCK", "--json")[0])] == [ids[1]]
    assert [row["id"] for row in json.loads(tasks("jobs", "--limit", 1, "--json")[0])] == [ids[1]]
    assert tasks("jobs", "--kind", "timeout") == ("No recorded job fits.\n", 0)
    assert "there is no such kind" in tasks("jobs", "--kind", "odd")[0]
    # What a job was given is for those who may see it, in the admin.
    assert "hunter2" not in out + tasks("jobs", "--json")[0] + tasks("get", "job", ids[0], "--json")[0]


@pytest.mark.parametrize("verb", ["get", "wait"])
def test_one_job_is_shown_with_its_end(ids: list[int], verb: str) -> None:
    out, code = tasks(verb, "job", ids[1])

    assert f"{ids[1]} of job: FAILURE after run 1" in out
    assert "raised: ValueError: no luck" in out
    assert code == (1 if verb == "wait" else 0)
    assert tasks("wait", "job", ids[0])[1] == 0
    assert json.loads(tasks(verb, "job", ids[0], "--json")[0])["status"] == "SUCCESS"


def test_cancel_of_what_has_ended_says_so(ids: list[int]) -> None:
    assert tasks("cancel", "job", ids[0]) == (f"Job {ids[0]} has ended already: SUCCESS.\n", 1)


def test_retry_runs_the_job_here_and_waits_for_it(ids: list[int], rows: Rows) -> None:
    out, code = tasks("retry", "job", ids[1])

    assert (code, "FAILURE after run 2" in out) == (1, True)
    written()
    row = rows.of(ids[1])
    assert row is not None
    assert row.attempt == 2
    assert "is no failure" in tasks("retry", "job", ids[0])[0]
    assert tasks("retry", "job", ids[0])[1] == 2


@pytest.mark.parametrize("verb", ["get", "wait", "cancel", "retry"])
def test_an_unknown_job_or_task_is_bad_usage(ids: list[int], verb: str) -> None:
    assert tasks(verb, "job", 7)[1] == 2
    said, code = tasks(verb, "jop", ids[0])
    assert (said, code) == ('No task is named "jop". Did you mean "job"?', 2)


@pytest.mark.parametrize("verb", ["get", "wait", "cancel", "retry", "jobs"])
def test_jobs_in_memory_only_can_not_be_seen_from_a_command(site: Site, journal: str, verb: str) -> None:
    site.task("plain", lambda job_id: None)

    said, code = tasks(verb, "plain", *([] if verb == "jobs" else [1]))

    assert code == 4
    assert "can't be seen from a command" in said
    assert '"record": true' in said
    assert tasks("jobs")[1] == 4


def test_prune_deletes_what_is_too_old_or_too_many(ids: list[int], rows: Rows) -> None:
    assert tasks("prune", "--keep", 1, "--dry-run") == ("1 rows would go.\n", 0)
    assert rows.all().count() == 2
    assert json.loads(tasks("prune", "--keep", 1, "--json")[0]) == {"rows": 1, "deleted": 1}
    assert [row.job_id for row in rows.all()] == [ids[1]]
    assert tasks("prune", "--older-than", "30d") == ("0 rows are gone.\n", 0)
    assert tasks("prune") == ("0 rows are gone.\n", 0)
    assert tasks("prune", "--older-than", "0s") == ("1 rows are gone.\n", 0)


@pytest.mark.parametrize("text", ["", "30 days", "-1d", "d", "1y"])
def test_an_age_that_is_none_is_bad_usage(journal: str, text: Any) -> None:
    said, code = tasks("prune", f"--older-than={text}")

    assert (code, "such as 30d" in said) == (2, True)
