"""`captured_tasks`: what was added, to be asked about, and to be run."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, overload

from yao_tasks import boot, loading
from yao_tasks.core.jobs import Job, JobInfo
from yao_tasks.engines.base import DEFAULTS, Options
from yao_tasks.engines.captured import CapturedEngine
from yao_tasks.engines.signatures import shown_call

# A message shows so many jobs.
SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedJob:
    """One job as it was added."""

    id: int
    task: str
    """The task's id."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any]
    """What `using` was given: `{"run_after": 5.0}`; durations in seconds."""

    def __str__(self) -> str:
        using = shown_call(".using", (), self.options) if self.options else ""
        return f'tasks["{self.task}"]{using}{shown_call(".add", self.args, self.kwargs)}'

    def fits(self, task: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether it is of this task, with equal arguments."""
        return self.task == task and self.args == args and dict(self.kwargs) == dict(kwargs)


class CapturedTasks(Sequence[CapturedJob]):
    """The jobs that were added, in order: a sequence. Any thread may add; the test's own asks and runs."""

    def __init__(self) -> None:
        self._added: list[CapturedJob] = []
        self._pending: deque[tuple[CapturedEngine, Job]] = deque()

    def __len__(self) -> int:
        return len(self._added)

    @overload
    def __getitem__(self, place: int) -> CapturedJob: ...
    @overload
    def __getitem__(self, place: slice) -> list[CapturedJob]: ...
    def __getitem__(self, place: int | slice) -> CapturedJob | list[CapturedJob]:
        return self._added[place]

    def __iter__(self) -> Iterator[CapturedJob]:
        return iter(list(self._added))

    def __repr__(self) -> str:
        return f"<{len(self)} captured jobs>"

    def of(self, task: str) -> list[CapturedJob]:
        """The jobs of one task. Raises TaskNotFound for an id that no task has."""
        loading.definition_of(task)
        return [job for job in self if job.task == task]

    def assert_added(self, task: str, /, *args: Any, **kwargs: Any) -> CapturedJob:
        """Answer the first job of the task with just these arguments. AssertionError, which shows what was added."""
        loading.definition_of(task)
        for job in self:
            if job.fits(task, args, kwargs):
                return job
        wanted = f'tasks["{task}"]{shown_call(".add", args, kwargs)}'
        raise AssertionError(f"No job was added by {wanted}.\n{self._shown(task)}")

    def assert_not_added(self, task: str, /, *args: Any, **kwargs: Any) -> None:
        """No job of the task was added; with arguments, none with just these. AssertionError, which shows those."""
        found = [job for job in self.of(task) if not (args or kwargs) or job.fits(task, args, kwargs)]
        if found:
            raise AssertionError(f"Jobs were added all the same:\n{_listed(found)}")

    def run_pending(self) -> list[JobInfo]:
        """Run what has not run, in the order in which it was added, in this thread; answers the jobs as they ended.

        Raises the first exception that a job's last run raised, at once; the jobs after it can still be run. Jobs
        that are added meanwhile wait for the next call; those that were cancelled are passed over, and so are
        those of a paused pool.
        """
        ended: list[JobInfo] = []
        held: list[tuple[CapturedEngine, Job]] = []
        try:
            for _ in range(len(self._pending)):
                engine, job = self._pending.popleft()
                if engine.waits(job) and engine.paused:
                    held.append((engine, job))
                elif engine.waits(job):
                    info, exception = engine.run(job)
                    if exception is not None:
                        raise exception
                    ended.append(info)
        finally:
            self._pending.extendleft(reversed(held))
        return ended

    def collect(self, engine: CapturedEngine, job: Job, options: Options | None) -> None:
        """Called by the engines."""
        self._pending.append((engine, job))
        if options is not None:
            task = engine.definition.id
            given = _given(options)
            self._added.append(
                CapturedJob(id=job.id, task=task, args=job.args, kwargs=dict(job.kwargs), options=given)
            )

    def _shown(self, task: str) -> str:
        if not self:
            return "No job was added at all."
        same = self.of(task)
        if same:
            return f"Of this task were added:\n{_listed(same)}"
        return f"None of this task was added. Added were:\n{_listed(list(self))}"


@contextmanager
def capture() -> Iterator[CapturedTasks]:
    """Have all jobs collected meanwhile."""
    jobs = CapturedTasks()
    with boot.engines_by(partial(CapturedEngine, collect=jobs.collect)):
        yield jobs


def _given(options: Options) -> dict[str, Any]:
    values = {one.name: getattr(options, one.name) for one in fields(options)}
    return {name: value for name, value in values.items() if value != getattr(DEFAULTS, name)}


def _listed(jobs: Sequence[CapturedJob]) -> str:
    lines = [f"  {job}" for job in jobs[:SHOWN]]
    return "\n".join([*lines, f"  … and {len(jobs) - SHOWN} more"] if len(jobs) > SHOWN else lines)
