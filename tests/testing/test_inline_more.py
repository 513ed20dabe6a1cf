"""`inline_tasks`, as far as the conformance suite doesn't hold it: signatures, many jobs, steering, settings."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import override_settings

from tests.conftest import SECONDS, Site
from yao_tasks import Process
from yao_tasks.errors import DuplicateJob, QueueFull
from yao_tasks.testing import inline_tasks


def send_welcome(job_id: int, address: str, *, name: str = "") -> str:
    return f"{address} {name}".strip()


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("yao_tasks")]


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ((), {}, "missing a required argument: 'address'"),
        (("a", "b"), {}, "too many positional arguments"),
        (("a",), {"nmae": "Ada"}, "got an unexpected keyword argument 'nmae'"),
        (("a",), {"job_id": 1}, "multiple values for argument 'job_id'"),
    ],
)
@pytest.mark.parametrize("raise_errors", [True, False])
def test_a_wrong_call_raises_at_add_and_names_handler_and_signature(
    site: Site, raise_errors: bool, args: Any, kwargs: Any, why: str
) -> None:
    pool = site.task("welcome_email", send_welcome)
    process = pool.config.process

    with inline_tasks(raise_errors=raise_errors), pytest.raises(TypeError) as caught:
        pool.add(*args, **kwargs)

    assert why in str(caught.value)
    assert '"welcome_email": add(' in str(caught.value)
    assert f"{process}(job_id: int, address: str, *, name: str = '') -> str" in str(caught.value)


def test_a_wrong_call_leaves_no_job_and_takes_no_id(site: Site) -> None:
    ids = iter([5])
    pool = site.task("job", send_welcome, event={"next": lambda: next(ids)})

    with inline_tasks():
        with pytest.raises(TypeError):
            pool.add()

        assert (pool.metrics()["added"], pool.add("a")) == (0, 5)


def test_one_wrong_element_of_many_adds_none(site: Site) -> None:
    pool = site.task("job", send_welcome)

    with inline_tasks():
        with pytest.raises(TypeError, match="too many"):
            pool.add_many([("a",), ("b", "c")])

        assert pool.metrics()["added"] == 0


@contextmanager
def around(job: Any) -> Iterator[None]:
    yield


def test_what_stands_around_a_run_hides_no_signature(site: Site, settings: Any) -> None:
    pool = site.task("job", send_welcome)
    settings.YAO_TASKS = {**settings.YAO_TASKS, "AROUND": [f"{__name__}.around"]}

    with inline_tasks():
        with pytest.raises(TypeError, match="missing a required argument: 'address'"):
            pool.add()

        assert pool.get(pool.add("a")).response == "a"


def test_a_handler_without_a_signature_is_called_all_the_same(site: Site) -> None:
    pool = site.task("job", max)

    with inline_tasks():
        assert pool.get(pool.add(2**60)).response == 2**60


def test_many_jobs_run_in_order_and_stay_findable(site: Site, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION_MAX": 1}
    pool = site.task("job", lambda job_id, number: number)

    with inline_tasks():
        ids = pool.add_many([(number,) for number in range(5)])

        assert [pool.get(job_id).response for job_id in ids] == [0, 1, 2, 3, 4]
        assert [info.id for info in pool.as_completed(ids, 0)] == ids


def test_of_many_jobs_all_run_before_the_first_exception_is_raised(site: Site) -> None:
    ran: list[int] = []

    def handler(job_id: int, number: int) -> None:
        ran.append(number)
        raise ValueError(f"number {number}")

    pool = site.task("job", handler)

    with inline_tasks(), pytest.raises(ValueError, match="number 1"):
        pool.add_many([(1,), (2,)])

    assert ran == [1, 2]


def test_more_than_a_pool_takes_at_once_is_refused_without_a_wait(site: Site) -> None:
    pool = site.task("job", send_welcome, worker_nums=1, size=2, overflow="wait", overflow_wait=3_600)

    with inline_tasks():
        with pytest.raises(QueueFull):
            pool.add_many([("a",)] * 4)

        assert pool.metrics()["refused"] == 4


def test_equal_jobs_of_many_are_refused_where_the_task_is_unique(site: Site) -> None:
    pool = site.task("job", send_welcome, unique=True)

    with inline_tasks():
        with pytest.raises(DuplicateJob):
            pool.add_many([("a",), ("a",)])

        assert pool.add_many([("a",), ("a",)], partial=True)[1] == 0


def test_delays_expiry_and_timeouts_are_passed_over(site: Site) -> None:
    pool = site.task("job", send_welcome, timeout=0.001)

    with inline_tasks():
        job_id = pool.using(run_after=3_600, expires=0, timeout=0.001, priority=5).add("a")

        assert pool.get(job_id).status == "SUCCESS"
        assert our_threads() == []


def test_a_task_that_its_definition_has_inline_knows_no_timeout_beside_others(site: Site) -> None:
    inline = site.task("inline", lambda job_id: time.sleep(0.05), engine="inline", timeout=0.01)
    other = site.task("other", lambda job_id: None)
    other.wait(other.add(), SECONDS)

    assert inline.get(inline.add()).status == "SUCCESS"


def test_a_paused_pool_runs_its_jobs_when_it_is_resumed(site: Site) -> None:
    pool = site.task("job", send_welcome)

    with inline_tasks():
        pool.pause()
        waiting = pool.get(pool.add("a"))
        pool.resume()

        assert (waiting.status, pool.get(waiting.id).status) == ("WAITING", "SUCCESS")
        assert our_threads() == []


def test_a_paused_pool_closes_at_once(site: Site) -> None:
    pool = site.task("job", send_welcome)

    with inline_tasks():
        pool.pause()
        job_id = pool.add("a")

        assert pool.close(timeout=3_600) == [job_id]


def test_a_resize_starts_no_thread(site: Site) -> None:
    pool = site.task("job", send_welcome)

    with inline_tasks():
        pool.pause()
        pool.add("a")
        pool.resize(9)

        assert (pool.metrics()["worker_nums"], our_threads()) == (9, [])


def test_a_retry_runs_at_once_and_raises(site: Site) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("again")

    pool = site.task("job", handler)

    with inline_tasks():
        with pytest.raises(ValueError, match="again"):
            pool.add()
        (failed,) = pool.search()
        with pytest.raises(ValueError, match="again"):
            pool.retry(failed.id)

        assert pool.get(failed.id).attempt == 2


def test_a_retry_in_the_jobs_own_error_event_starts_no_thread(site: Site) -> None:
    fails = iter([True, False])

    def handler(job_id: int) -> None:
        if next(fails):
            raise ValueError

    pool = site.task("job", handler, event={"error": lambda job_id, _: pool.retry(job_id)})

    with inline_tasks():
        info = pool.get(pool.add())

        assert (info.status, info.attempt, our_threads()) == ("SUCCESS", 2, [])


def test_a_change_of_settings_inside_leaves_the_tasks_inline(site: Site, settings: Any) -> None:
    pool = site.task("job", lambda job_id: threading.current_thread())

    with inline_tasks():
        with override_settings(YAO_TASKS={**settings.YAO_TASKS, "RETENTION": 60}):
            inside = pool.get(pool.add()).response
        after = pool.get(pool.add()).response

    assert {inside, after} == {threading.current_thread()}


def test_a_change_of_settings_inside_closes_the_pools_from_before(site: Site, settings: Any) -> None:
    pool = site.task("job", site.gate())
    before = pool.add()

    with inline_tasks():
        settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION": 60}

    assert before not in pool.jobs


def test_process_raises_for_a_wrong_call(site: Site) -> None:
    site.task("job", send_welcome)

    with inline_tasks(), pytest.raises(TypeError, match="job_id: int, address: str"):
        Process("tasks.job.add")
