"""What is wrong with the tasks and the machine just now, each with what to do: for `tasks check --run` and the admin.

numbers    what is known of each task: from memory, from rows
health     `health_check` beside the handlers, called with a deadline
findings   from these to sentences: pure
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yao_tasks import loading
from yao_tasks.core import load
from yao_tasks.diagnosis import findings, health, numbers
from yao_tasks.diagnosis.findings import Finding
from yao_tasks.diagnosis.health import Health
from yao_tasks.diagnosis.numbers import Machine, Rows, TaskNumbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was looked at, and what was found, the worst first."""

    tasks: Sequence[TaskNumbers]
    healths: dict[str, Health]
    """By task, of those whose handlers can be imported."""
    machine: Machine
    findings: Sequence[Finding]


def diagnose(ask_rows: Callable[[], Rows] = Rows) -> Diagnosis:
    """Look at all tasks, their handlers and the machine. Imports handlers, calls their `health_check`s.

    Takes as long as these do, `health.SECONDS` at most. Any thread may call it. Raises django.db.Error where tasks are
    recorded and the database can't be read. `ask_rows`: for who needn't know the rows of this very moment.
    """
    definitions = list(loading.loaded().definitions.values())
    healths = health.ask_all(definitions)
    found = numbers.of_all(definitions, ask_rows)
    machine = Machine(memory=load.memory_usage(), processors=load.cpu_usage())
    return Diagnosis(
        tasks=found,
        healths=healths,
        machine=machine,
        findings=findings.of_all(found, healths, machine),
    )
