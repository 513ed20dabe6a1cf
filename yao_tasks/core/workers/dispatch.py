"""The places of one pool of coroutines: which are taken, by whose run, and what runs next.

All of it happens in the thread of the event loop, where nothing else goes on meanwhile. A run begins at once, inside
`look`, where Python can do that (3.12): one that never waits costs no turn of the loop, which is most of what it costs.
"""

import asyncio
import itertools
import sys
import threading
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

from yao_tasks.core import log
from yao_tasks.core.crew import Crew
from yao_tasks.core.current import fresh
from yao_tasks.core.jobs import READY, RUNNING, Job
from yao_tasks.core.queue import Tokens
from yao_tasks.core.runs import Runner
from yao_tasks.core.workers.helpers import Helpers
from yao_tasks.core.workers.loop import Loop
from yao_tasks.core.workers.telling import OnLoop, Telling

# Whether a task can begin to run as it is made.
EAGER = sys.version_info >= (3, 12)
# What else the loop has to do waits no longer for runs that begin and end at once (s).
SLICE = 0.002


class Run:
    """One run of a job, and the place that it takes. `task`: None until the run waits for something."""

    __slots__ = ("attempt", "begun", "job", "name", "task")

    def __init__(self, job: Job, attempt: int, name: str) -> None:
        self.job = job
        self.attempt = attempt
        self.name = name
        self.begun = False
        self.task: asyncio.Task[None] | None = None


class Dispatch:
    """Starts runs, and brings them to their ends. `awake` and `runs` may be read anywhere."""

    def __init__(self, runner: Runner, crew: Crew, tokens: Tokens, loop: Loop, helpers: Helpers) -> None:
        self.runner = runner
        self.crew = crew
        self.tokens = tokens
        self.loop = loop
        self.helpers = helpers
        self.life = runner.life
        self.ends = runner.ends
        self.handler = runner.handler
        self.telling = Telling(runner.announcer, runner.ends, loop, helpers)
        self.runs: dict[tuple[int, int], Run] = {}
        # Whether somebody will look into the queue, so that who puts a job in need not wake the loop.
        self.awake = False
        self.leaving = False
        self.left = threading.Event()
        # Names of places in which nothing runs.
        self._idle: list[str] = []
        # One that was drawn, and couldn't be started yet.
        self._drawn: Job | None = None
        self._numbers = itertools.count(1)
        # Whether `look` is under way, or about to be.
        self._looking = False

    def look(self) -> None:
        """Start what can be started. Whoever puts a job in, or frees a place, has it called."""
        if self.life.surplus or self.leaving:
            self._shrink()
        self._looking = True
        try:
            self._looking = self._start_all()
        except BaseException:
            self._looking = False
            raise

    def _start_all(self) -> bool:
        """Start what can be started. Whether it goes on with that in another turn of the loop."""
        until = self.runner.monotonic() + SLICE
        while self._has_place():
            job = self._draw()
            if job is None:
                return False
            if job.status != READY:
                continue
            if not self._idle and not self._hire():
                # A place is just being freed: whoever does it looks for this.
                self._drawn = job
                return False
            if not self._start(job):
                return False
            if job.started is not None and job.started > until:
                asyncio.get_running_loop().call_soon(self.look)
                return True
        # Who frees a place looks into the queue.
        self.awake = True
        return False

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
                self.awake = False
                if tokens.queue.empty():
                    return None
                self.awake = True
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
        run = self.runs[job.id, attempt] = Run(job, attempt, name)
        if job.status != RUNNING:
            # Cut off meanwhile.
            self._raised(run, asyncio.CancelledError())
            return True
        try:
            context = fresh((job, attempt, self.runner.announcer), self.loop.base)
        except BaseException as exception:  # noqa: BLE001 - what was carried over is foreign code
            context = self.loop.base.copy()
            work = self._fail(run, exception)
        else:
            work = self._work(run)
        loop = asyncio.get_running_loop()
        if EAGER:
            run.task = asyncio.Task(work, loop=loop, context=context, eager_start=True)  # type: ignore[call-arg,unused-ignore]
        else:
            run.task = loop.create_task(work, context=context)
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
            if not self.loop.is_running_here:
                raise  # thrown away
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
        if self._looking:
            return
        if EAGER:
            # Not here: what begins now would do so inside of what has just ended.
            asyncio.get_running_loop().call_soon(self.look)
            self._looking = True
        else:
            self.look()

    def _shrink(self) -> None:
        while self._idle and self.crew.quit():
            self._idle.pop()
        if self.leaving:
            while self._idle:
                self._idle.pop()
                self.crew.dismiss()
            self.left.set()

    def cancel(self, key: tuple[int, int]) -> None:
        """Cancel the run of this job and number, if it is still there."""
        run = self.runs.get(key)
        if run is not None and run.task is not None:
            run.task.cancel()
