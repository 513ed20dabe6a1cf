"""API: looking. What `get` finds, and for how long."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks.errors import JobNotFound

Settings = Any


def end(job_id: int, *, fails: bool = False) -> str:
    if fails:
        raise ValueError("it failed")
    return "result"


# JobInfo, field by field


def test_get_finds_a_job_in_each_of_its_states(site: Site, task: MakeTask) -> None:
    gate = site.gate()
    pool = task(gate, worker_nums=1)
    first, second = pool.add(), pool.add()
    gate.entered()

    assert [pool.get(first).status, pool.get(second).status] == ["RUNNING", "WAITING"]
    pool.cancel(second)
    gate.open()
    pool.wait(first, SECONDS)
    assert [pool.get(first).status, pool.get(second).status] == ["SUCCESS", "FAILURE"]


def test_a_job_of_another_task_is_not_found(task: MakeTask) -> None:
    one, other = task(end, "one"), task(end, "other")
    job_id = one.add()
    one.wait(job_id, SECONDS)

    with pytest.raises(JobNotFound, match='"other" has no job'):
        other.get(job_id)


def test_what_was_forgotten_may_have_existed(task: MakeTask) -> None:
    pool = task(end, retention=0)
    job_id = pool.add()
    pool.close()

    with pytest.raises(JobNotFound) as missing:
        pool.get(job_id)

    assert f'"job" has no job {job_id}' in str(missing.value)
    assert "if it ever had" in str(missing.value)


def test_what_never_was_is_called_so(task: MakeTask) -> None:
    pool = task(end)
    pool.add()

    with pytest.raises(JobNotFound, match="no process of this site remembers that id"):
        pool.get(12)


def test_an_id_of_the_projects_own_making_may_have_existed(task: MakeTask) -> None:
    pool = task(end, retention=0, event={"next": lambda: 7})
    pool.add()
    pool.close()

    with pytest.raises(JobNotFound, match="if it ever had"):
        pool.get(7)


def test_job_not_found_is_a_lookup_error() -> None:
    assert issubclass(JobNotFound, LookupError)


# Retention


def test_ended_jobs_are_remembered_by_default(task: MakeTask) -> None:
    pool = task(end)
    good, bad = pool.add(), pool.add(fails=True)
    pool.close()

    assert (pool.get(good).response, pool.get(bad).response) == ("result", "it failed")
    assert dict(pool.jobs) == {}


@pytest.mark.parametrize("fails", [False, True])
def test_retention_0_forgets_successes_and_failures_at_once(task: MakeTask, *, fails: bool) -> None:
    pool = task(end, retention=0)
    job_id = pool.add(fails=fails)
    pool.close()

    for ask in (pool.get, pool.wait):
        with pytest.raises(JobNotFound):
            ask(job_id)
    assert pool.cancel(job_id) is False


def test_a_success_is_forgotten_after_its_retention_and_a_failure_is_not(task: MakeTask) -> None:
    pool = task(end, retention=0.1)
    good, bad = pool.add(), pool.add(fails=True)
    pool.wait(bad, SECONDS)
    info = pool.wait(good, SECONDS)
    assert info.ended_at is not None

    def forgotten() -> bool:
        try:
            pool.get(good)
        except JobNotFound:
            return True
        return False

    until(forgotten, "the success to be forgotten")
    assert datetime.now(UTC) - info.ended_at >= timedelta(seconds=0.1)
    assert pool.get(bad).status == "FAILURE"


def test_the_settings_retention_holds_where_a_definition_says_nothing(
    task: MakeTask, settings: Settings
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION": 0}
    forgets, remembers = task(end, "forgets"), task(end, "remembers", retention=60)
    first, second = forgets.add(), remembers.add()
    forgets.close()

    assert remembers.wait(second, SECONDS).response == "result"
    with pytest.raises(JobNotFound):
        forgets.get(first)


def test_retention_max_forgets_the_oldest_of_successes_and_failures_apart(
    task: MakeTask, settings: Settings
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION_MAX": 3}
    pool = task(end, worker_nums=1)
    bad = [pool.add(fails=True) for _ in range(2)]
    good = [pool.add() for _ in range(5)]
    bad += [pool.add(fails=True) for _ in range(2)]
    pool.close()

    def known(ids: list[int]) -> list[int]:
        found = []
        for job_id in ids:
            try:
                found.append(pool.get(job_id).id)
            except JobNotFound:
                pass
        return found

    assert known(good) == good[-3:]
    assert known(bad) == bad[-3:]


def test_an_id_that_was_forgotten_may_be_given_again(task: MakeTask) -> None:
    pool = task(end, retention=0.05, event={"next": lambda: 7})
    pool.wait(pool.add(), SECONDS)
    time.sleep(0.06)

    pool.add()

    assert pool.wait(7, SECONDS).status == "SUCCESS"


# wait
