"""`tasks.metrics.…`, `tasks.statistics.…`, `tasks.queue.…`, `system.monitor.…`: numbers of all tasks."""

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks import Process
from yao_tasks.core import load

RATES = ("success_rate", "error_rate")


def fail(job_id: int) -> None:
    raise ValueError("no")


def test_without_jobs_nothing_waits_and_nothing_has_failed(site: Site) -> None:
    site.task("idle", lambda job_id: None)

    assert [Process(f"tasks.metrics.{rate}") for rate in RATES] == [1, 0]
    assert Process("tasks.metrics.avg_execution_time") == Process("tasks.statistics.avg_time") == 0
    assert Process("tasks.queue.length") == 0


def test_they_count_what_waits_and_what_runs_over_all_tasks(site: Site) -> None:
    gate = site.gate()
    pools = [site.task(name, gate, worker_nums=1) for name in ("one", "two")]
    site.task("broken", gate, process="no.such.module")
    for pool in pools:
        pool.add_many([()] * 3)
    gate.entered(2)

    assert Process("tasks.metrics.queue_length") == Process("tasks.metrics.waiting_jobs") == 4
    assert Process("tasks.metrics.active_workers") == Process("tasks.metrics.running_jobs") == 2
    assert Process("tasks.queue.length") == 4
    status = Process("system.monitor.status")
    assert (status["active_tasks"], status["max_tasks"]) == (2, 1 + 1 + 2)


def test_rates_and_times_are_of_what_has_ended(site: Site) -> None:
    fast, bad = site.task("fast", lambda job_id: None), site.task("bad", fail)
    for _ in range(3):
        fast.wait(fast.add(), SECONDS)
    bad.wait(bad.add(), SECONDS)

    until(lambda: Process("tasks.metrics.error_rate") == 0.25, "the numbers")
    assert Process("tasks.metrics.success_rate") == 0.75
    longest = 1_000 * max(pool.metrics()["run_time"]["max"] for pool in (fast, bad))
    assert 0 < Process("tasks.statistics.avg_time") <= longest


def test_the_machine_is_told_of_in_parts_of_one(site: Site) -> None:
    status = Process("system.monitor.status")

    assert set(status) == {"active_tasks", "max_tasks", "memory_usage", "cpu_usage"}
    assert 0 < status["memory_usage"] < 1
    assert 0 <= status["cpu_usage"] <= 1
    assert 0 <= Process("system.monitor.load") <= 1


def test_a_task_may_be_called_like_a_group_of_numbers(site: Site) -> None:
    pool = site.task("metrics", lambda job_id: "done")

    job_id = Process("tasks.metrics.add")

    assert pool.wait(job_id, SECONDS).response == "done"
    assert Process("tasks.metrics.success_rate") == 1


def test_tasks_metrics_of_one_task_is_its_pools(site: Site) -> None:
    pool = site.task("job", lambda job_id: None)

    numbers = Process("tasks.job.Metrics")

    assert set(numbers) == set(pool.metrics())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tasks.metrics.sucess_rate", 'Did you mean "metrics.success_rate"?'),
        ("tasks.queue.lenght", 'Did you mean "queue.length"?'),
        ("system.monitor.laod", 'Did you mean "monitor.load"?'),
        ("system.reboot", "Known are monitor.status, monitor.load."),
    ],
)
def test_a_number_that_is_none_is_refused_with_the_nearest(site: Site, name: str, said: str) -> None:
    with pytest.raises(LookupError) as error:
        Process(name)

    assert said in str(error.value)


# The machine


def test_the_processors_are_as_busy_as_between_two_looks() -> None:
    now = [0.0]
    ticks = iter([load.Ticks(100, 1000), load.Ticks(150, 1100), load.Ticks(151, 1110)])
    processors = load.Processors(lambda: next(ticks), lambda: now[0])

    first = processors.usage()
    now[0] += 1
    second = processors.usage()
    now[0] += load.CLOSEST / 2
    at_once = processors.usage()
    now[0] += load.CLOSEST
    third = processors.usage()

    assert (first, second, at_once, third) == (None, 0.5, 0.5, 0.1)


def test_nobody_can_tell_where_there_are_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_psutil", lambda: None)
    monkeypatch.setattr(load, "_lines", lambda path: [])
    monkeypatch.delattr(load.os, "getloadavg")

    assert (load._ticks(), load.memory_usage(), load.load_average()) == (None, 0, 0)


def test_the_load_stands_in_until_there_are_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_processors", load.Processors(lambda: None))
    monkeypatch.setattr(load.os, "getloadavg", lambda: (0.5 * (load.os.cpu_count() or 1), 0, 0))

    assert load.cpu_usage() == load.load_average() == 0.5


class Psutil:
    """What is used of psutil."""

    class Times(tuple[float, ...]):
        idle, iowait, guest, guest_nice = 70.0, 10.0, 5.0, 0.0

    class Memory:
        total, available = 1000, 250

    def cpu_times(self) -> tuple[float, ...]:
        return self.Times((25.0, 0.0, 70.0, 10.0, 5.0, 0.0))

    def virtual_memory(self) -> "Psutil.Memory":
        return self.Memory()


def test_psutil_answers_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_psutil", Psutil)

    assert load._ticks() == load.Ticks(busy=25, total=105)
    assert load.memory_usage() == 0.75
