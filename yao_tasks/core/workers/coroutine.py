"""Coroutines that run jobs: a task of the event loop for each run, as many at once as the pool has places.

    offer (any thread) -> queue -> dispatch (the loop) -> a task for each run -> its end frees the place -> dispatch

The loop is woken for a job only where nobody will look into the queue anyway: a run that ends always does.
"""

import asyncio
import threading
import traceback
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from yao_tasks.core import stacks
from yao_tasks.core.crew import Crew
from yao_tasks.core.growth import Growth
from yao_tasks.core.jobs import Job
from yao_tasks.core.queue import Tokens
from yao_tasks.core.runs import Runner
from yao_tasks.core.workers.dispatch import Dispatch, Run
from yao_tasks.core.workers.helpers import Helpers
from yao_tasks.core.workers.loop import LAST_WORDS, Loop
from yao_tasks.core.workers.relief import Relief
from yao_tasks.core.workers.tally import Tally

# How long who asks for stacks waits for a loop that may be blocked (s).
PATIENCE = 0.2


class CoroutineWorkers(Relief):
    """The places of one pool, in the loop of the process. They come as jobs come, as threads would.

    Any thread may call any method.
    """

    stoppable = True

    def __init__(self, runner: Runner, loop: Loop) -> None:
        self.runner = runner
        self.loop = loop
        self.life = runner.life
        self.ends = runner.ends
        self.crew = Crew(runner.life)
        self.tokens = Tokens(runner.life)
        self.helpers = Helpers(runner.life.task, runner.tidy)
        self.threads = self.helpers.threads
        self.tallies: dict[str, Tally] = {}
        self.dispatch = Dispatch(runner, self.crew, self.tokens, loop, self.helpers)
        self.can_start = True
        # Of a pool with `worker_max`.
        self.growth: Growth | None = None

    def offer(self, job: Job) -> None:
        """Let a place take the job. RuntimeError if the process starts no more threads, and so no loop."""
        tokens = self.tokens
        if job.terms is None and not tokens.heap_mode:
            tokens.queue.put(job)
        else:
            tokens.put(job)
        # Read after it came in: whoever finds the queue empty looks once more after it has said so.
        if not self.dispatch.awake:
            self._wake()
        if self.growth is not None:
            self.growth.notice()

    def added(self, job: Job, then: Callable[[], object]) -> None:
        """Have an async event.add awaited, and `then` called after it."""
        self.dispatch.telling.added(job, then)

    def stop(self, job: Job, attempt: int) -> None:
        """Cancel the run, which has been settled."""
        self.loop.call(self.dispatch.cancel, (job.id, attempt))

    def give_up(self, thread: int) -> bool | None:
        """An event hangs in this thread (its ident): give its run's place away. None if it is no helper."""
        if not self.helpers.has(thread):
            return None
        given_up = self.crew.give_up()
        self.helpers.give_up(thread)
        self.staff()
        return given_up

    def tell_closing(self) -> None:
        """They see it themselves."""

    @property
    def trouble(self) -> str:
        """None: a place needs no start."""
        return ""

    def staff(self) -> None:
        """Have the loop look whether there is something to do."""
        self.loop.call(self.dispatch.look)

    def resize(self, worker_nums: int) -> None:
        """Have so many places; those that are too many go after their jobs."""
        self.crew.resize(worker_nums)
        self.staff()

    def pause(self) -> None:
        """Start no more jobs."""
        self.crew.pause(True)

    def resume(self) -> None:
        """Start jobs again."""
        self.crew.pause(False)
        self.staff()

    def leave(self, deadline: float, monotonic: Callable[[], float]) -> bool:
        """Let each place go after its job, and wait for them. False if some were taken at the deadline."""
        self.dispatch.leaving = True
        self.loop.call(self.dispatch.look)
        # Those that were just cancelled have something to clean up in.
        cut, life = monotonic() + LAST_WORDS, self.life
        # An event that closes its own pool doesn't wait for the run that it tells of.
        mine = self.helpers.has(threading.get_ident())
        while (
            (life.threads > life.stuck + mine or self.dispatch.telling.adding) and monotonic() < deadline
        ) or (self.dispatch.runs and life.stuck and monotonic() < cut):
            self.dispatch.left.clear()
            self.dispatch.left.wait(0.01)
        self.helpers.leave(max(deadline, monotonic() + LAST_WORDS), monotonic)
        return life.threads <= life.stuck

    @property
    def blocks(self) -> bool:
        """Whether the calling thread is the event loop's."""
        return self.loop.is_here

    def coroutines(self) -> dict[tuple[int, int], asyncio.Task[None] | None]:
        """The runs, by job and attempt; None for one that hasn't waited for anything yet."""
        return {key: run.task for key, run in list(self.dispatch.runs.items())}

    def stacks(self) -> list[str]:
        """Where the runs that were cut off are just now: a text each. Waits a moment for the loop to tell."""
        if self.loop.is_here:
            return self._stacks()
        told: SimpleQueue[list[str]] = SimpleQueue()
        self.loop.call(lambda: told.put(self._stacks()))
        try:
            return told.get(timeout=PATIENCE)
        except Empty:
            blocked = f"the event loop is blocked:\n{self.loop.stack()}"
            return [f"{head}: {blocked}" for head, _ in self._cut_off()]

    def _wake(self) -> None:
        self.loop.start()
        self.dispatch.awake = True
        self.loop.call(self.dispatch.look)

    def _stacks(self) -> list[str]:
        # In the loop's own thread: to walk through coroutines that go on meanwhile has crashed CPython.
        return [f"{head}:\n{_stack(run.task)}" for head, run in self._cut_off()]

    def _cut_off(self) -> list[tuple[str, Run]]:
        runs = self.dispatch.runs
        return [
            (f"{name}, run {attempt} of job {job_id}", runs[job_id, attempt])
            for (job_id, attempt), (name, _) in list(self.ends.cut_off.items())
            if (job_id, attempt) in runs
        ]


def _stack(task: "asyncio.Task[None] | None") -> str:
    frames: list[tuple[FrameType, int]] = []
    inner: Any = None if task is None else task.get_coro()
    while inner is not None and (frame := getattr(inner, "cr_frame", None)) is not None:
        frames.append((frame, frame.f_lineno))
        inner = inner.cr_await
    return "".join(traceback.StackSummary.extract(iter(frames), limit=stacks.MOST_FRAMES).format())
