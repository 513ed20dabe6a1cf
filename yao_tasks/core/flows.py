"""Workflows as callers see them: a picture of a chain, a group or a batch at one moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from yao_tasks.core.jobs import FAILURE_NAME, RUNNING_NAME, SUCCESS_NAME, WAITING_NAME, JobError

CHAIN, GROUP, BATCH = "chain", "group", "batch"
STATES = (WAITING_NAME, RUNNING_NAME, SUCCESS_NAME, FAILURE_NAME)
ENDED = (SUCCESS_NAME, FAILURE_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInfo:
    """One step of a workflow: a job, or what is to become one."""

    task: str
    """The task's id."""
    job_id: int | None
    """None: it has not been added yet, and never is where its workflow has ended."""
    status: str | None
    """As a job's; None: it has not been added."""
    percent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowInfo:
    """A frozen picture of a workflow at one moment."""

    id: int
    kind: str
    """`"chain"`, `"group"` or `"batch"`."""
    status: str
    """As a job's: `"WAITING"` until a first member has started."""
    current: float
    """How many members have ended; of a chain also the part of the step that runs."""
    total: int
    """How many members there are, without the callback."""
    counts: Mapping[str, int]
    """How many members are in each of the four states; those of a chain that were not added count as waiting."""
    steps: tuple[StepInfo, ...]
    """Of a chain its steps, of a group its members; empty for a batch."""
    callback: StepInfo | None
    response: Any
    """At SUCCESS: the result of the last step, or of the callback; a group's own without one is the list of its
    members' results, a batch's the counts. At FAILURE the error's text. None before the end."""
    error: JobError | None
    """Why it failed."""
    added_at: datetime
    ended_at: datetime | None

    @property
    def percent(self) -> int:
        """0 to 100, rounded down; 100 at SUCCESS."""
        if self.status == SUCCESS_NAME:
            return 100
        return int(100.0 * self.current / self.total) if self.total else 0

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowLine:
    """One workflow in a list: what can be told of many at once."""

    id: int
    kind: str
    status: str
    kind_of_failure: str
    """As a job's; empty where it has not failed."""
    succeeded: int
    failed: int
    total: int
    added_at: datetime
    ended_at: datetime | None


def counted(states: Iterable[str]) -> dict[str, int]:
    """How many there are of each state, all four named."""
    counts = dict.fromkeys(STATES, 0)
    for state in states:
        counts[state] += 1
    return counts


def failure_of(kind: str, failed: int, total: int, first: JobError) -> JobError:
    """Why a group or batch failed: so many of its members did, `first` as the first of them."""
    what = "job" if total == 1 else "jobs"
    text = f"{failed} of the {total} {what} of the {kind} failed; the first: {first.message}"
    return replace(first, message=text)
