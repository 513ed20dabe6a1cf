"""Handlers that don't come back, each in its own way."""

import logging
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from tests.conftest import SECONDS, Site, until
from yao_tasks import boot
from yao_tasks.errors import PoolSaturated
from yao_tasks.pools import Pool

# The regex holds the GIL, and may delay all: seconds beyond what a row allows.
REGEX_MAY_TAKE = 4


class Hangs:
    """Ways to hang for seconds, all of which end when `stop` is set or by themselves."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.near, self.far = socket.socketpair()

    def close(self) -> None:
        self.stop.set()
        self.far.sendall(b"x")

    def loop(self, job_id: int) -> None:
        while not self.stop.is_set():
            pass

    def sleep(self, job_id: int) -> None:
        while not self.stop.is_set():
            time.sleep(0.05)

    def socket(self, job_id: int) -> None:
        self.near.recv(1)

    def sql(self, job_id: int) -> None:
        # Some seconds of counting, in the database's own code.
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 12000000) SELECT count(*) FROM n"
            )

    def regex(self, job_id: int) -> None:
        # Each letter more doubles the time: so many that it takes two to four seconds on any machine.
        length, seconds = 18, 0.0
        while seconds < 2:
            length += 1 if not seconds else max(1, math.floor(math.log2(2 / seconds)))
            began = time.monotonic()
            re.match(r"(a+)+$", "a" * length + "b")
            seconds = time.monotonic() - began

    def never_gives_in(self, job_id: int) -> None:
        while not self.stop.is_set():
            try:
                self.stop.wait(0.01)
                raise ValueError
            except:  # noqa: E722
                pass


@pytest.fixture
def hangs() -> Iterator[Hangs]:
    hangs = Hangs()
    yield hangs
    hangs.close()
    hangs.near.close(), hangs.far.close()


def took(pool: Pool, job_id: int) -> float:
    """Seconds from the run's start to the job's end, which must be a timeout in its only run."""
    info = pool.wait(job_id, 2 * SECONDS)
    assert (info.status, info.error and info.error.kind, info.attempt) == ("FAILURE", "timeout", 1)
    assert info.started_at is not None
    assert info.ended_at is not None
    return (info.ended_at - info.started_at).total_seconds()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "way",
    [
        "loop",
        "sleep",
        "socket",
        "sql",
        "regex",
    ],
)
def test_a_run_that_hangs_in_any_way_times_out_and_is_not_tried_again(
    site: Site, hangs: Hangs, way: str
) -> None:
    """F20."""
    handler: Callable[..., Any] = getattr(hangs, way)
    pool = site.task("job", lambda job_id, *args: None if args else handler(job_id), timeout=1, attempts=3)

    job_id = pool.add()

    seconds = took(pool, job_id)
    assert 1 <= seconds < 1.5 + (REGEX_MAY_TAKE if way == "regex" else 0)
    if way != "regex":
        assert pool.metrics()["stuck"] == 1
    assert [pool.wait(one, SECONDS).status for one in pool.add_many([("next",)] * 10)] == ["SUCCESS"] * 10
    hangs.stop.set()
    if way in ("loop", "sleep"):
        until(lambda: pool.metrics()["stuck"] == 0, "it to come back")


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [0.1, 1])
def test_stuck_is_exact_and_as_many_work_as_before(site: Site, hangs: Hangs, timeout: float) -> None:
    """F20."""
    gate = site.gate()
    ways = [hangs.sleep, hangs.never_gives_in, hangs.socket]

    def handler(job_id: int, number: int) -> object:
        return gate(job_id) if number < 0 else ways[number % 3](job_id)

    pool = site.task("job", handler, worker_nums=9, timeout=timeout)
    for count in range(1, 9):
        took(pool, pool.add(count - 1 if (count - 1) % 3 < 2 else 0))
        assert pool.metrics()["stuck"] == count

    # Eight are replaced, and nine threads work.
    worked = pool.using(timeout=60).add_many([(-1,)] * 9)

    gate.entered(9)
    assert pool.metrics()["running"] == 9
    gate.open()
    assert {pool.wait(job_id, SECONDS).status for job_id in worked} == {"SUCCESS"}
    hangs.close()
    until(lambda: pool.metrics()["stuck"] == 0, "all to come back")
    until(lambda: pool.metrics()["workers"] <= 9, "those that are too many to leave")


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [0.2, 1])
def test_a_pool_whose_threads_all_hang_refuses_and_loses_nothing(
    site: Site, caplog: pytest.LogCaptureFixture, timeout: float
) -> None:
    """F21."""
    event = threading.Event()
    before = {thread for thread in threading.enumerate() if thread.name.startswith("yao_tasks-job-")}
    pool = site.task("job", lambda job_id: event.wait(6 * SECONDS), worker_nums=4, timeout=timeout)

    ids = pool.add_many([()] * 50)

    until(lambda: pool.metrics()["stuck"] == 8, "eight to be stuck")
    with pytest.raises(PoolSaturated):
        pool.add()
    # More than the time after which a thread is replaced.
    time.sleep(0.3)
    workers = {thread for thread in threading.enumerate() if re.match(r"yao_tasks-job-\d", thread.name)}
    assert len(workers - before) == pool.metrics()["workers"] == 8
    lines = [record for record in caplog.records if record.levelno == logging.ERROR and record.job is None]  # type: ignore[attr-defined]
    assert len(lines) == 1
    assert lines[0].getMessage().count("event.wait") == 8
    statuses = [pool.get(job_id).status for job_id in ids]
    assert statuses == ["FAILURE"] * 8 + ["WAITING"] * 42
    event.set()
    assert [pool.wait(job_id, SECONDS).status for job_id in ids[8:]] == ["SUCCESS"] * 42
    until(lambda: pool.metrics()["stuck"] == 0, "all to come back")
    until(lambda: pool.metrics()["workers"] == 4, "those that are too many to leave")


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [0.2, 1])
def test_a_handler_that_never_gives_in_costs_a_thread_and_no_more(
    site: Site, hangs: Hangs, timeout: float
) -> None:
    """F23."""
    pool = site.task(
        "job",
        lambda job_id, *args: None if args else hangs.never_gives_in(job_id),
        worker_nums=1,
        timeout=timeout,
    )

    job_id = pool.add()

    assert timeout <= took(pool, job_id) < timeout + 0.5
    assert pool.metrics()["stuck"] == 1
    assert pool.wait(pool.add("next"), SECONDS).status == "SUCCESS"
    assert (pool.metrics()["stuck"], pool.metrics()["workers"]) == (1, 2)


def test_a_worker_that_is_started_just_as_its_pool_closes_ends_all_the_same(site: Site) -> None:
    pool = site.task("job", lambda job_id: None)
    engine: Any = boot.engine("job")
    pool.wait(pool.add(), SECONDS)
    engine.close(0)

    engine.life.threads += 1
    engine.workers._start()

    until(lambda: not engine.workers.threads, "it to end")
