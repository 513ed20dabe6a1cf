"""One workflow in memory: its members, what they came to, and the picture of it."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from yao_tasks.core.calls import Call
from yao_tasks.core.flows import (
    BATCH,
    CHAIN,
    GROUP,
    StepInfo,
    WorkflowInfo,
    WorkflowLine,
    counted,
    failure_of,
)
from yao_tasks.core.jobs import (
    FAILURE_NAME,
    PUBLIC,
    RUNNING_NAME,
    SUCCESS_NAME,
    WAITING_NAME,
    Job,
    JobError,
    JobInfo,
)


class Flow:
    """A chain, a group or a batch. Any thread may call any method."""

    def __init__(
        self,
        flow_id: int,
        kind: str,
        calls: Sequence[Call],
        callback: Call | None,
        stop: Callable[["Flow"], bool],
    ) -> None:
        """`calls`: the steps of a chain or the members of the others; of a batch they aren't kept.

        `stop` cancels it.
        """
        self._stop = stop
        self.id = flow_id
        self.kind = kind
        self.total = len(calls)
        self.calls = () if kind == BATCH else calls
        self.task = calls[0].task if calls else ""
        self.callback = callback
        self.added_at = time.time()
        self.ended_at: float | None = None
        self.over = threading.Event()
        self.response: Any = None
        self.error: JobError | None = None
        self.raised: BaseException | None = None
        """What an inline job raised, for the one who started it all."""
        self._live: dict[int, Job] = {}
        # By step: its job, and how that ended.
        self._jobs: dict[int, int] = {}
        self._ends: dict[int, str] = {}
        self._results: dict[int, Any] = {}
        self._succeeded = self._failed = 0
        self._first: JobError | None = None
        # Guards all of it. Reentrant: a finalizer may end a job.
        self._lock = threading.RLock()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.over.is_set()

    def wait(self, timeout: float | None) -> WorkflowInfo:
        """Wait for its end in the calling thread. TimeoutError."""
        if not self.over.wait(timeout):
            raise TimeoutError(f"The {self.kind} {self.id} has not ended within {timeout:g} s.")
        return self.info()

    def cancel(self) -> bool:
        """End it, and its live jobs. False if it has ended."""
        return self._stop(self)

    def is_callback(self, step: int) -> bool:
        """Whether this step is the callback."""
        return self.kind != CHAIN and step == self.total

    def task_of(self, step: int) -> str:
        """The task of a step."""
        if self.is_callback(step):
            assert self.callback is not None
            return self.callback.task
        return self.calls[step].task if self.calls else self.task

    def added(self, step: int, job: Job) -> None:
        """A job is about to be added for this step."""
        with self._lock:
            self._live[step] = job
            if self.kind != BATCH or self.is_callback(step):
                self._jobs[step] = job.id

    def has_added(self, step: int) -> bool:
        """Whether there is, or was, a job for this step."""
        return step in self._jobs

    def member_ended(self, step: int, info: JobInfo) -> bool:
        """A member has ended. Answers whether it was the last."""
        with self._lock:
            self._live.pop(step, None)
            if info.error is None:
                self._succeeded += 1
            else:
                self._failed += 1
                self._first = self._first or info.error
            if self.kind != BATCH:
                self._ends[step] = info.status
            if self.kind == GROUP:
                self._results[step] = info.response if info.error is None else None
            return self._succeeded + self._failed == self.total

    def callback_ended(self, step: int, info: JobInfo) -> None:
        """So has the callback."""
        with self._lock:
            self._live.pop(step, None)
            self._ends[step] = info.status

    def members_error(self) -> JobError | None:
        """Why a group or batch has failed; None: no member has."""
        if self._first is None or self.kind == CHAIN:
            return None
        return failure_of(self.kind, self._failed, self.total, self._first)

    def joined(self) -> Any:
        """What the members came to: of a group the list of their results, of a batch the counts."""
        if self.kind == BATCH:
            return self.counts()
        return [self._results[step] for step in range(self.total)]

    def end(self, error: JobError | None, response: Any = None) -> bool:
        """It has ended. False if it had before."""
        with self._lock:
            if self.over.is_set():
                return False
            self.error = error
            self.response = error.message if error is not None else response
            self.ended_at = time.time()
            self.over.set()
        return True

    def live_jobs(self) -> list[tuple[str, int]]:
        """Task and id of the jobs that have not ended, as far as is known."""
        with self._lock:
            return [(self.task_of(step), job.id) for step, job in self._live.items()]

    def counts(self) -> dict[str, int]:
        """How many members are in each state; those that were not added wait."""
        with self._lock:
            live = [PUBLIC[job.status] for step, job in self._live.items() if not self.is_callback(step)]
            counts = counted(live)
            counts[SUCCESS_NAME] += self._succeeded
            counts[FAILURE_NAME] += self._failed
            counts[WAITING_NAME] += self.total - sum(counts.values())
        return counts

    def info(self) -> WorkflowInfo:
        """A picture of it."""
        with self._lock:
            counts = self.counts()
            return WorkflowInfo(
                id=self.id,
                kind=self.kind,
                status=self._status(counts),
                current=self._current(),
                total=self.total,
                counts=counts,
                steps=() if self.kind == BATCH else tuple(map(self._step, range(self.total))),
                callback=None if self.callback is None else self._step(self.total),
                response=self.response,
                error=self.error,
                added_at=datetime.fromtimestamp(self.added_at, UTC),
                ended_at=None if self.ended_at is None else datetime.fromtimestamp(self.ended_at, UTC),
            )

    def line(self) -> WorkflowLine:
        """What a list tells of it."""
        with self._lock:
            return WorkflowLine(
                id=self.id,
                kind=self.kind,
                status=self._status(self.counts()),
                kind_of_failure="" if self.error is None else self.error.kind,
                succeeded=self._succeeded,
                failed=self._failed,
                total=self.total,
                added_at=datetime.fromtimestamp(self.added_at, UTC),
                ended_at=None if self.ended_at is None else datetime.fromtimestamp(self.ended_at, UTC),
            )

    def _status(self, counts: dict[str, int]) -> str:
        if self.over.is_set():
            return SUCCESS_NAME if self.error is None else FAILURE_NAME
        return WAITING_NAME if counts[WAITING_NAME] == self.total and self.total else RUNNING_NAME

    def _current(self) -> float:
        if self.kind == CHAIN:
            return self._succeeded + sum(map(_share, self._live.values()))
        return self._succeeded + self._failed

    def _step(self, step: int) -> StepInfo:
        job = self._live.get(step)
        status = self._ends.get(step) if job is None else PUBLIC[job.status]
        percent = 100 if status == SUCCESS_NAME else 0 if job is None else int(100 * _share(job))
        return StepInfo(task=self.task_of(step), job_id=self._jobs.get(step), status=status, percent=percent)


def _share(job: Job) -> float:
    current, total, _ = job.progress
    return max(0.0, min(1.0, float(current) / float(total))) if total > 0 else 0.0
