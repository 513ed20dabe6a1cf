"""The engine of `captured_tasks`: as the inline one, but a job runs when the test says so."""

from collections.abc import Callable, Sequence

from yao_tasks.core.current import CurrentJob
from yao_tasks.core.definitions import Definition
from yao_tasks.core.jobs import READY, RUNNING, Job, JobInfo
from yao_tasks.engines.base import Callables, Home, Options
from yao_tasks.engines.inline import InlineEngine

Collect = Callable[["CapturedEngine", Job, Options | None], None]
"""Called in the thread that added a job, with the options of its add, or None where it is to be tried again."""


class CapturedEngine(InlineEngine):
    """Hands each job to `collect`; whoever collected it has it run by `run`."""

    def __init__(self, definition: Definition, callables: Callables, home: Home, *, collect: Collect) -> None:
        super().__init__(definition, callables, home, raise_errors=True)
        self.collect = collect

    def run(self, job: Job) -> tuple[JobInfo, BaseException | None]:
        """Run a job to its end, in the calling thread; answers it, and what its last run raised."""
        exception = self._run(job)
        return self.draw(job), exception

    def waits(self, job: Job) -> bool:
        """Whether it has not run, and wasn't cancelled."""
        return job.status == READY

    @property
    def paused(self) -> bool:
        """Whether its pool is paused: then nothing is run."""
        return self.life.paused

    def resume(self) -> None:
        """Let jobs be run again."""
        self.workers.crew.pause(False)

    def _take(self, jobs: Sequence[tuple[Job, Options | None]]) -> None:
        for job, options in jobs:
            self.collect(self, job, options)

    def _refuse_endless(self, job: Job, inside: CurrentJob | None) -> None:
        if job.status < RUNNING:
            raise RuntimeError(
                f'Job {job.id} of "{self.definition.id}" was captured and has not run: it would be waited for without '
                "end. Run it first, with run_pending()."
            )
