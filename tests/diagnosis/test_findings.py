"""From numbers to sentences: what is said of which, and what isn't."""

from typing import Any

import pytest
from django.utils.translation import override

from yao_tasks.diagnosis import findings
from yao_tasks.diagnosis.health import Health
from yao_tasks.diagnosis.numbers import Machine, TaskNumbers

QUIET = Machine(memory=0.5, processors=0.5)
FINE: dict[str, Any] = {"task": "mail", "worker_nums": 4, "succeeded": 9, "failed": 1, "run_time": 30.0}


def codes(health: Health | None = None, machine: Machine = QUIET, **numbers: Any) -> list[str]:
    """What is found for a task with these numbers, `!` before errors."""
    task = TaskNumbers(**{**FINE, "waiting": 40, **numbers})
    found = findings.of_all([task], {} if health is None else {"mail": health}, machine)
    assert all(one.text and one.advice for one in found)
    return [f"{'!' if one.is_error else ''}{one.code}" for one in found]


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ({}, []),
        ({"waiting": 41}, ["backlog"]),
        ({"succeeded": 89, "failed": 11}, ["failures"]),
        ({"succeeded": 0, "failed": 0, "run_time": None}, []),
        ({"run_time": 30.1}, ["slow"]),
        ({"stuck": 2}, ["!stuck"]),
        ({"has_runners": False}, ["!unworked"]),
        ({"has_runners": False, "waiting": 0}, []),
        ({"fault": "no handler", "waiting": 1_000, "stuck": 1}, ["!unusable"]),
        ({"waiting": 41, "stuck": 1}, ["!stuck", "backlog"]),
        ({"health": Health(is_asked=False)}, []),
        ({"health": Health()}, []),
        ({"health": Health(error="OSError: no disk")}, ["!unhealthy"]),
        ({"health": Health(is_late=True)}, ["!silent"]),
        ({"machine": Machine(memory=0.9, processors=0.9)}, []),
        ({"machine": Machine(memory=0.91, processors=0.5)}, ["memory"]),
        ({"machine": Machine(memory=0.5, processors=0.91)}, ["processors"]),
    ],
)
def test_each_has_its_bound(numbers: dict[str, Any], found: list[str]) -> None:
    assert codes(**numbers) == found


def test_errors_come_before_the_warnings_of_any_task() -> None:
    tasks = [TaskNumbers(**FINE | {"waiting": 41}), TaskNumbers(**FINE | {"task": "other", "stuck": 1})]

    found = findings.of_all(tasks, {}, QUIET)

    assert [(one.task, one.code) for one in found] == [("other", "stuck"), ("mail", "backlog")]


def test_they_speak_the_readers_language_and_name_the_values() -> None:
    task = TaskNumbers(**{**FINE, "waiting": 1_041, "succeeded": 1})
    with override("en"):
        english = findings.of_all([task], {}, QUIET)
    with override("zh-hans"):
        chinese = findings.of_all([task], {}, QUIET)

    assert [one.text for one in english] == [
        "1041 jobs wait for 4 workers.",
        "Only 50.0 % of the last hour's jobs succeeded.",
    ]
    assert chinese[1].text == "最近一小时的作业仅有 50.0 % 成功。"
    assert "worker_max" in english[0].advice
