"""The page that answers what is wrong just now, and what to do."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext

from yao_tasks.dashboard.durations import measured
from yao_tasks.dashboard.keeping import kept
from yao_tasks.dashboard.pages import page
from yao_tasks.diagnosis import diagnose
from yao_tasks.diagnosis.health import Health
from yao_tasks.diagnosis.numbers import Rows, TaskNumbers

# Rows are counted so often at most (s).
LEAST = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """One line of what was looked at."""

    task: str
    icon: str
    handler: str
    waiting: int
    running: int
    worker_nums: int
    success: str
    run_time: str
    is_of_all: bool


@page("diagnosis")
def _views(request: HttpRequest) -> dict[str, Any]:
    # With a million rows of an hour they take a second to count: not each time that somebody looks.
    found = diagnose(lambda: kept("diagnosis", Rows, least=LEAST)[0])
    return {
        "title": gettext("Diagnosis"),
        "tab": "diagnosis",
        "findings": found.findings,
        "rows": [_row(one, found.healths.get(one.task)) for one in found.tasks],
        # Whole percents: a page that says more would be another one each time.
        "memory": round(100 * found.machine.memory),
        "processors": round(100 * found.machine.processors),
    }


diagnosis, diagnosis_fragment = _views


def _row(task: TaskNumbers, known: Health | None) -> LookedAt:
    icon, handler = _handler(task, known)
    rate = task.success_rate
    return LookedAt(
        task=task.task,
        icon=icon,
        handler=handler,
        waiting=task.waiting,
        running=task.running,
        worker_nums=task.worker_nums,
        success="" if rate is None else gettext("%(percent)s %%") % {"percent": number_format(100 * rate, 1)},
        run_time="" if task.run_time is None else measured(task.run_time),
        is_of_all=task.is_of_all,
    )


def _handler(task: TaskNumbers, known: Health | None) -> tuple[str, str]:
    if task.fault or known is None:
        return "fault", gettext("can't be used")
    if not known.is_good:
        return "fault", gettext("unhealthy")
    return "succeeded", gettext("healthy") if known.is_asked else gettext("can be imported")
