"""Coroutines that run jobs: a task of the event loop for each run, as many at once as the pool has places.

    offer (any thread) -> queue -> dispatch (the loop) -> a task for each run -> its end frees the place -> dispatch

The loop is woken for a job only where nobody will look into the queue anyway: a run that ends always does.
"""

import asyncio
import itertools
import threading
import traceback
from collections.abc import Callable
from functools import partial
from queue import Empty
from types import FrameType
from typing import Any

from yao_tasks.core import log
from yao_tasks.core.crew import Crew
from yao_tasks.core.current import fresh
from yao_tasks.core.growth import Growth
from yao_tasks.core.jobs import READY, Job
from yao_tasks.core.queue import Tokens
from yao_tasks.core.runs import Runner
from yao_tasks.core.workers.helpers import Helpers
from yao_tasks.core.workers.loop import LAST_WORDS, Loop
from yao_tasks.core.workers.telling import OnLoop, Telling


class Run:
    """One run of a job, and the place that it takes."""

    __slots__ = ("attempt", "begun", "job", "name", "task")

    def __init__(self, job: Job, attempt: int, name: str) -> None:
        self.job = job
        self.attempt = attempt
        self.name = name
        self.begun = False
        self.task: asyncio.Task[None]


class CoroutineWorkers:
    """The places of one pool, in the loop of the process. They come as jobs come, as threads would.

    Any thread may call the methods without an underscore; the others are for the loop's thread.
    """

    stoppable = True

    def __init__(self, runner: Runner, loop: Loop) -> None:
        self.runner = runner
        self.loop = loop
        self.life = runner.life
        self.ends = runner.ends
        self.handler = runner.handler
        self.crew = Crew(runner.life)
        self.tokens = Tokens(runner.life)
        self.helpers = Helpers(runner.life.task, runner.tidy)
        self.threads = self.helpers.threads
        self.telling = Telling(runner.announcer, runner.ends, loop, self.helpers)
        self.runs: dict[tuple[int, int], Run] = {}
        self.can_start = True
        # Of a pool with `worker_max`.
        self.growth: Growth | None = None
        # Whether the loop will look into the queue, so that who puts a job in need not wake it.
        self._awake = False
        # Names of places in which nothing runs.
        self._idle: list[str] = []
        # One that was drawn just before a pause.
        self._drawn: Job | None = None
        self._numbers = itertools.count(1)
        self._told = False
        self._leaving = False
        self._left = threading.Event()

    def offer(self, job: Job) -> None:
        """Let a place take the job. RuntimeError if the process starts no more threads, and so no loop."""
        tokens = self.tokens
        if job.terms is None and not tokens.heap_mode:
            tokens.queue.put(job)
        else:
            tokens.put(job)
        # Read after it came in: whoever finds the queue empty looks once more after it has said so.
        if not self._awake:
            self._wake()
        if self.growth is not None:
            self.growth.notice()

    def added(self, job: Job, then: Callable[[], object]) -> None:
        """Have an async event.add awaited, and `then` called after it."""
        self.telling.added(job, then)

    def relieve(self) -> None:
        """Give the places of runs away that swallowed their cancel, as far as that is allowed. Called by the clock."""
        life = self.life
        while life.stuck > life.replaced and self.crew.replace():
            pass
        self.staff()
        saturated = life.stuck >= life.threads and life.replaced >= life.most_replaced
        if saturated and not self._told:
            log.aside(log.saturated, life.task, self.stacks())
        # Once, however many hang by then.
        self._told = saturated

    def came_back(self) -> None:
        """One that hung hangs no more."""
        # If all of them hang again, that is news.
        self._told = False

    def stop(self, job: Job, attempt: int) -> None:
        """Cancel the run, which has been settled."""
        self.loop.call(self._cancel, (job.id, attempt))

    def give_up(self, thread: int) -> bool | None:
        """An event hangs in this thread (its ident): give its run's place away. None if it is no helper."""
        if not self.helpers.has(thread):
            return None
        given_up = self.crew.give_up()
        self.helpers.give_up(thread)
        self.staff()
        return given_up

    def staff(self) -> None:
        """Have the loop look whether there is something to do."""
        self.loop.call(self._dispatch)

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
        self._leaving = True
        self.loop.call(self._dispatch)
        # Those that were just cancelled have something to clean up in.
        cut, life = monotonic() + LAST_WORDS, self.life
        # An event that closes its own pool doesn't wait for the run that it tells of.
        mine = self.helpers.has(threading.get_ident())
        while ((life.threads > life.stuck + mine or self.telling.adding) and monotonic() < deadline) or (
            self.runs and life.stuck and monotonic() < cut
        ):
            self._left.clear()
            self._left.wait(0.01)
        self.helpers.leave(max(deadline, monotonic() + LAST_WORDS), monotonic)
        return life.threads <= life.stuck

    @property
    def blocks(self) -> bool:
        """Whether the calling thread is the event loop's."""
        return self.loop.is_here

    def coroutines(self) -> dict[tuple[int, int], asyncio.Task[None]]:
        """The runs, by job and attempt."""
        return {key: run.task for key, run in list(self.runs.items())}

    def stacks(self) -> list[str]:
        """Where the runs that were cut off are just now: a text each."""
        texts = []
        for (job_id, attempt), (name, _) in list(self.ends.cut_off.items()):
            run = self.runs.get((job_id, attempt))
            if run is not None:
                texts.append(f"{name}, run {attempt} of job {job_id}:\n{self._stack(run)}")
        return texts

    def _wake(self) -> None:
        self.loop.start()
        self._awake = True
        self.loop.call(self._dispatch)

    def _dispatch(self) -> None:
        """Start what can be started."""
        if self.life.surplus or self._leaving:
            self._shrink()
        while self._has_place():
            job = self._draw()
            if job is None:
                return
            if job.status != READY:
                continue
            if not self._idle and not self._hire():
                # A place is just being freed: whoever does it looks for this.
                self._drawn = job
                return
            if not self._start(job):
                return
        # Who frees a place looks into the queue.
        self._awake = True

    def _has_place(self) -> bool:
        life = self.life
        return bool(self._idle) or life.threads - life.replaced < life.wanted

    def _hire(self) -> bool:
        if not self.crew.hire():
            return False
        self._idle.append(f"{self.life.task}-{next(self._numbers)}")
        return True

    def _draw(self) -> Job | None:
        tokens = self.tokens
        if self._drawn is not None:
            drawn, self._drawn = self._drawn, None
            # A better one may have come while it was paused.
            return tokens.better(drawn)
        while True:
            try:
                token = tokens.queue.get_nowait()
            except Empty:
                self._awake = False
                if tokens.queue.empty():
                    return None
                self._awake = True
                continue
            if not tokens.heap_mode and isinstance(token, Job):
                return token
            job = tokens.choose(token)
            if job is not None:
                return job

    def _start(self, job: Job) -> bool:
        """Start a run. False where the pool is paused, so that nothing can be."""
        name = self._idle.pop()
        attempt = self.runner.begin(job, name)
        if not attempt:
            self._idle.append(name)
            if job.status != READY:
                return True
            self._drawn = job
            return False
        run = Run(job, attempt, name)
        try:
            context = fresh((job, attempt, self.runner.announcer), self.loop.base)
        except BaseException as exception:  # noqa: BLE001 - what was carried over is foreign code
            context = self.loop.base.copy()
            work = self._fail(run, exception)
        else:
            work = self._work(run)
        self.runs[job.id, attempt] = run
        run.task = asyncio.get_running_loop().create_task(work, context=context)
        run.task.add_done_callback(partial(self._ended, run))
        return True

    def _ended(self, run: Run, task: "asyncio.Task[None]") -> None:
        # Cancelled before its first step: no code of its coroutine has run, not even ours.
        if not run.begun:
            self._raised(run, asyncio.CancelledError())

    async def _work(self, run: Run) -> None:
        job = run.job
        run.begun = True
        try:
            result = await self.handler(job.id, *job.args, **job.kwargs)
        except BaseException as exception:
            if self._leaving and not asyncio.get_running_loop().is_running():
                raise  # thrown away with its loop
            self._raised(run, exception)
        else:
            self._returned(run, result)

    async def _fail(self, run: Run, exception: BaseException) -> None:
        run.begun = True
        self._raised(run, exception)

    def _returned(self, run: Run, result: Any) -> None:
        if self.telling.reports and self._after_reports(run, partial(self._returned, run, result)):
            return
        if self.ends.returned(run.job, run.attempt, result):
            self.loop.lent.give_back(run.job, run.attempt)
            self.telling.ended(run.job, None, partial(self._free, run))
        else:
            self._free(run)

    def _raised(self, run: Run, exception: BaseException) -> None:
        if self.telling.reports and self._after_reports(run, partial(self._raised, run, exception)):
            return
        self.loop.lent.give_back(run.job, run.attempt)
        # The log is foreign code, and may block.
        self.helpers.put(partial(self._settle_elsewhere, run, exception))

    def _settle_elsewhere(self, run: Run, exception: BaseException) -> None:
        tells = False
        try:
            tells = self.ends.raised(run.job, run.attempt, exception)
            if tells and isinstance(self.runner.announcer.events.error, OnLoop):
                log.ended(self.life.task, run.job, exception)
                self.telling.ended(run.job, exception, partial(self._free, run))
            elif tells:
                self.ends.tell(run.job, exception)
                tells = False
        finally:
            if not tells:
                self.loop.call(self._free, run)

    def _after_reports(self, run: Run, then: Callable[[], object]) -> bool:
        """Whether reports of the run are still to be told; if so `then` is called after that."""
        reports = self.telling.reports.get((run.job.id, run.attempt))
        if reports is None or reports.told is None:
            return False
        reports.told.add_done_callback(lambda _: then())
        return True

    def _free(self, run: Run) -> None:
        """A place is free again."""
        del self.runs[run.job.id, run.attempt]
        self.loop.lent.give_back(run.job, run.attempt)
        if not (self.life.surplus and self.crew.quit()):
            self._idle.append(run.name)
        self._dispatch()

    def _shrink(self) -> None:
        while self._idle and self.crew.quit():
            self._idle.pop()
        if self._leaving:
            while self._idle:
                self._idle.pop()
                self.crew.dismiss()
            self._left.set()

    def _cancel(self, key: tuple[int, int]) -> None:
        run = self.runs.get(key)
        if run is not None:
            run.task.cancel()

    def _stack(self, run: Run) -> str:
        task = run.task
        if self.loop.events is not None and asyncio.current_task(self.loop.events) is task:
            return self.loop.stack()
        frames: list[tuple[FrameType, int]] = []
        inner: Any = task.get_coro()
        while inner is not None and (frame := getattr(inner, "cr_frame", None)) is not None:
            frames.append((frame, frame.f_lineno))
            inner = inner.cr_await
        return "".join(traceback.StackSummary.extract(iter(frames), limit=30).format())
