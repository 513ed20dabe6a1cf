"""Chapter 最佳实践: small jobs that can run again, bounded resources, errors, and what is to be watched."""

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks import Process, current_job


def test_监控告警_the_queue_the_times_and_the_failures_can_be_watched(site: Site) -> None:
    def handler(job_id: int, good: bool) -> None:
        if not good:
            raise ValueError("no")

    pool = site.task("job", handler, attempts=1)
    for good in (True, False):
        pool.wait(Process("tasks.job.add", good), SECONDS)

    numbers = until(lambda: (now := Process("tasks.job.metrics"))["failed"]["raised"] and now, "the numbers")

    assert (numbers["queued"], numbers["retried"], numbers["succeeded"]) == (0, 1, 1)
    assert numbers["run_time"]["max"] > 0


def test_任务设计_a_job_that_runs_again_does_its_work_once(site: Site) -> None:
    sent: set[str] = set()

    def handler(job_id: int, address: str) -> int:
        job = current_job()
        assert job is not None
        sent.add(address)
        if job.attempt == 1:
            raise ConnectionError("after the work, before the end")
        return len(sent)

    pool = site.task("job", handler, attempts=1)

    ended = pool.wait(Process("tasks.job.add", "ada@example.org"), SECONDS)

    assert (ended.response, ended.attempt) == (1, 2)


def test_资源管理_workers_time_and_queue_have_their_bounds(site: Site) -> None:
    gate = site.gate()
    pool = site.task("job", gate, worker_nums=1, size=1, timeout=0.05)
    ids = [Process("tasks.job.add") for _ in range(3)]

    ended = pool.wait(ids[0], SECONDS)

    assert ids[2] == 0
    assert ended.error is not None
    assert ended.error.kind == "timeout"


def test_错误处理_a_failure_is_logged_once_with_its_traceback(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("row 17")

    pool = site.task("job", handler, attempts=1)
    pool.wait(Process("tasks.job.add"), SECONDS)

    errors = until(lambda: [one for one in caplog.records if one.levelname == "ERROR"], "the line")
    warnings = [one for one in caplog.records if one.levelname == "WARNING"]
    assert [one.exc_info is not None for one in errors] == [True]
    assert "is tried again" in warnings[0].getMessage()
