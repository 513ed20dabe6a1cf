"""What is to be said of the numbers: sentences in the reader's language, each with what to do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext

from yao_tasks.diagnosis.health import SECONDS, Health
from yao_tasks.diagnosis.numbers import Machine, TaskNumbers

# The original's rules of thumb: jobs for each worker, a part of the jobs, seconds of a run, a part of the machine.
BACKLOG = 10
SUCCESS_RATE = 0.9
RUN_TIME = 30.0
USAGE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    code: str
    """`unusable`, `unhealthy`, `silent`, `stuck`, `unworked`, `backlog`, `failures`, `slow`, `memory`, `processors`."""
    is_error: bool
    """Whether jobs can't run because of it; else it is a warning."""
    task: str = ""
    """Empty: it is about the machine."""
    text: str
    advice: str


def of_all(tasks: Sequence[TaskNumbers], healths: Mapping[str, Health], machine: Machine) -> list[Finding]:
    """All that is wrong, errors first."""
    found = [finding for one in tasks for finding in _of(one, healths.get(one.task))]
    found += _of_machine(machine)
    return sorted(found, key=lambda one: not one.is_error)


def _of(task: TaskNumbers, known: Health | None) -> Iterator[Finding]:
    if task.fault:
        yield Finding(
            code="unusable",
            is_error=True,
            task=task.task,
            text=gettext("It can't be used: %(fault)s") % {"fault": task.fault},
            advice=gettext("Mend its file or its handler: no job can be added."),
        )
        return
    if known is not None and not known.is_good:
        yield _unwell(task.task, known)
    if task.stuck:
        yield Finding(
            code="stuck",
            is_error=True,
            task=task.task,
            text=gettext("Workers that hang: %(count)d.") % {"count": task.stuck},
            advice=gettext("Read on the pool's page where they are, and give the call that hangs a timeout."),
        )
    if task.waiting and not task.has_runners:
        yield Finding(
            code="unworked",
            is_error=True,
            task=task.task,
            text=gettext("Jobs wait in the database (%(count)s), and no process runs them.")
            % {"count": number_format(task.waiting)},
            advice=gettext("Start manage.py runtasks, or a server."),
        )
    yield from _warnings(task)


def _unwell(task: str, known: Health) -> Finding:
    if known.is_late:
        return Finding(
            code="silent",
            is_error=True,
            task=task,
            text=gettext("Its health_check has not answered for %(seconds)d s.") % {"seconds": SECONDS},
            advice=gettext("Look at what it waits for, and give that call a timeout."),
        )
    return Finding(
        code="unhealthy",
        is_error=True,
        task=task,
        text=gettext("Its health_check says: %(error)s") % {"error": known.error},
        advice=gettext("Mend what its handler needs; until then its jobs fail."),
    )


def _warnings(task: TaskNumbers) -> Iterator[Finding]:
    rate = task.success_rate
    if task.waiting > BACKLOG * task.worker_nums:
        yield Finding(
            code="backlog",
            is_error=False,
            task=task.task,
            text=gettext("%(waiting)s jobs wait for %(workers)s workers.")
            % {"waiting": number_format(task.waiting), "workers": number_format(task.worker_nums)},
            advice=gettext('Raise "worker_nums", set "worker_max", or make the handler quicker.'),
        )
    if rate is not None and rate < SUCCESS_RATE:
        yield Finding(
            code="failures",
            is_error=False,
            task=task.task,
            text=gettext("Only %(percent)s %% of the last hour's jobs succeeded.")
            % {"percent": number_format(100 * rate, 1)},
            advice=gettext("Look at the failures; let the handler answer for errors that will come again."),
        )
    if task.run_time is not None and task.run_time > RUN_TIME:
        yield Finding(
            code="slow",
            is_error=False,
            task=task.task,
            text=gettext("A run takes %(seconds)s s on average.")
            % {"seconds": number_format(task.run_time, 1)},
            advice=gettext("Split the work into smaller jobs, or look at what the handler waits for."),
        )


def _of_machine(machine: Machine) -> Iterator[Finding]:
    # As a page says it, which is refreshed: whole percents, or it would be another page each time.
    if machine.memory > USAGE:
        yield Finding(
            code="memory",
            is_error=False,
            text=gettext("The machine's memory is used to %(percent)d %%.")
            % {"percent": 100 * machine.memory},
            advice=gettext("Have fewer workers, or more memory; look at what jobs keep."),
        )
    if machine.processors > USAGE:
        yield Finding(
            code="processors",
            is_error=False,
            text=gettext("The machine's processors are busy to %(percent)d %%.")
            % {"percent": 100 * machine.processors},
            advice=gettext("Have fewer workers, or more processors; move what computes to another machine."),
        )
