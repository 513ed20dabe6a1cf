"""The events of a pool of coroutines: async ones in the event loop, plain ones in a helper thread.

The loop's thread itself calls nothing that may block. For one job they come in order all the same: what it reports
from the loop is told one after the other, and its end after that.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from yao_tasks.core.announcer import Announcer, Events
from yao_tasks.core.current import CurrentJob, fresh
from yao_tasks.core.ends import Ends
from yao_tasks.core.jobs import Job, Progress
from yao_tasks.core.workers.helpers import Helpers
from yao_tasks.core.workers.loop import Loop

# Who waits for an event looks this often whether there still is a loop (s).
LOOK = 1.0

# Reports of one run that are still to be told. A handler that reports faster than its event can be told loses the
# oldest of them, never the last.
MOST_REPORTS = 100


class OnLoop:
    """An async event as a plain callable, for threads other than the loop's: they wait until it has been awaited."""

    def __init__(self, function: Callable[..., Coroutine[Any, Any, object]], loop: Loop) -> None:
        self.function = function
        self.loop = loop

    def __call__(self, *args: Any) -> None:
        """Have it awaited in the loop, in the context of the caller; raises what it raised."""
        events, coroutine = self.loop.start(), self._awaited(args)
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, events)
        except RuntimeError:  # it is closed
            coroutine.close()
            raise
        while not future.done():
            try:
                future.result(LOOK)
            except TimeoutError:
                # Or its own: then it is done. A loop that has been closed since would never answer.
                if not future.done() and events.is_closed():
                    raise RuntimeError("the event loop was closed before the event could be told") from None
            except BaseException:  # noqa: BLE001, S110 - raised below
                pass
        future.result()

    async def _awaited(self, args: tuple[Any, ...]) -> None:
        for variable, value in self.loop.base.items():
            variable.set(value)
        await self.function(*args)


def on_loop(events: Events, loop: Loop, *, is_async: Callable[[Any], bool]) -> Events:
    """The events, with `OnLoop` in place of those that are async."""
    names = ("add", "success", "error", "progress")
    found = {name: call for name in names if (call := getattr(events, name)) is not None and is_async(call)}
    return replace(events, **{name: OnLoop(call, loop) for name, call in found.items()})


class Reports:
    """What one run has reported from the loop, and what is still to be told of it."""

    __slots__ = ("told", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Progress] = deque(maxlen=MOST_REPORTS)
        self.told: asyncio.Task[None] | None = None
        """Ends once all that waits is told."""


class Telling:
    """Tells what happens in one pool. In the loop's thread, where nothing else is said."""

    def __init__(self, announcer: Announcer, ends: Ends, loop: Loop, helpers: Helpers) -> None:
        self.announcer = announcer
        self.ends = ends
        self.loop = loop
        self.helpers = helpers
        # Jobs whose async event.add is under way.
        self.adding: dict[Job, None] = {}
        self.reports: dict[tuple[int, int], Reports] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        announcer.pass_on = self.progressed

    def added(self, job: Job, then: Callable[[], object]) -> None:
        """Have an async event.add awaited, and `then` called. Any thread may call it; it doesn't wait."""
        self.loop.start()
        self.adding[job] = None
        self.loop.call(self._add, job, then)

    def progressed(self, job: Job, progress: Progress) -> None:
        """Tell a report. Other threads than the loop's tell it themselves, or wait until it is told."""
        if not self.loop.is_here:
            self.announcer.progressed(job, progress)
            return
        run = (job.id, job.attempt)
        reports = self.reports.get(run)
        if reports is None:
            reports = self.reports[run] = Reports()
            reports.told = self.spawn(self._tell_reports(run, job, reports))
        reports.waiting.append(progress)

    def ended(self, job: Job, exception: BaseException | None, then: Callable[[], object]) -> None:
        """Tell the end that a run made, then call `then` in the loop. Any thread may call it.

        Of an exception with an async event.error the log's line has been written.
        """
        handler = self.announcer.events.success if exception is None else self.announcer.events.error
        if isinstance(handler, OnLoop):
            self.loop.call(self.spawn, self._ended(handler, job, exception, then))
        else:
            self.helpers.put(partial(self._ended_here, job, exception, then))

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """A task of the loop, kept alive until it ends."""
        task = asyncio.get_running_loop().create_task(coroutine, context=self.loop.base.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _add(self, job: Job, then: Callable[[], object]) -> None:
        self.spawn(self._added(job, then))

    async def _added(self, job: Job, then: Callable[[], object]) -> None:
        handler = self.announcer.events.add
        assert isinstance(handler, OnLoop)
        try:
            await self._event("add", handler, job)
        finally:
            if self.loop.is_running_here:
                then()
                del self.adding[job]

    async def _tell_reports(self, run: tuple[int, int], job: Job, reports: Reports) -> None:
        handler, running = self.announcer.events.progress, CurrentJob(job, run[1], self.announcer)
        # Nothing is told of a run that was cut off: its job's end may have been told.
        try:
            while reports.waiting and not running.cancelled:
                progress = reports.waiting.popleft()
                if isinstance(handler, OnLoop):
                    await self._event("progress", handler, job, *progress)
                else:
                    await self._in_a_helper(partial(self.announcer.progressed, job, progress))
        finally:
            del self.reports[run]

    async def _ended(
        self, handler: OnLoop, job: Job, exception: BaseException | None, then: Callable[[], object]
    ) -> None:
        if exception is None:
            await self._event("success", handler, job, job.result)
        else:
            await self._event("error", handler, job, exception)
            self.announcer.let_follow(job)
        self.ends.life.rest(late=False)
        then()

    def _ended_here(self, job: Job, exception: BaseException | None, then: Callable[[], object]) -> None:
        try:
            self.ends.tell(job, exception)
        finally:
            self.loop.call(then)

    async def _event(self, event: str, handler: OnLoop, job: Job, *args: Any) -> None:
        """Await an event in a context of its own, until it ends or is given up. Never raises."""
        over = asyncio.get_running_loop().create_future()
        try:
            context = fresh((job, job.attempt, self.announcer), self.loop.base)
        except BaseException as exception:  # noqa: BLE001 - what was carried over is foreign code
            self._failed(event, job, exception)
            return
        coroutine = self._watched(event, handler, job, args, over)
        task = asyncio.get_running_loop().create_task(coroutine, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await over

    async def _watched(
        self, event: str, handler: OnLoop, job: Job, args: tuple[Any, ...], over: "asyncio.Future[None]"
    ) -> None:
        give_up = partial(self.loop.call, _give_up, asyncio.current_task(), over)
        with self.announcer.watch.calls(event, job, give_up=give_up):
            try:
                await handler.function(job.id, *args)
            except BaseException as exception:
                if not self.loop.is_running_here:
                    raise  # thrown away
                self._failed(event, job, exception)
            finally:
                _set(over)

    def _failed(self, event: str, job: Job, exception: BaseException) -> None:
        self.helpers.put(partial(self.announcer.event_failed, event, job, exception))

    async def _in_a_helper(self, call: Callable[[], object]) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def there() -> None:
            try:
                call()
            finally:
                self.loop.call(_set, over)

        self.helpers.put(there)
        await over


def _give_up(task: "asyncio.Task[object]", over: "asyncio.Future[None]") -> None:
    """An event doesn't come back: nobody waits for it any more, whatever it does with its cancel."""
    task.cancel()
    _set(over)


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
