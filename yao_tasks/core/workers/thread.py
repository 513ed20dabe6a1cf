"""Threads that draw jobs from their pool's queue and run them."""

import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from yao_tasks.core import log, stacks
from yao_tasks.core.crew import Crew
from yao_tasks.core.growth import Growth
from yao_tasks.core.jobs import READY, Job
from yao_tasks.core.queue import Tokens
from yao_tasks.core.runs import Runner
from yao_tasks.core.workers.relief import Relief
from yao_tasks.core.workers.tally import Tally

if TYPE_CHECKING:
    import asyncio


class ThreadWorkers(Relief):
    """The threads of one pool. They start as jobs come, and stay until there are too many, or the end."""

    stoppable = False

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.life = runner.life
        self.crew = Crew(runner.life)
        self.tokens = Tokens(runner.life)
        self.threads: dict[str, threading.Thread] = {}
        self.tallies: dict[str, Tally] = {}
        self.can_start = True
        # Of a pool with `worker_max`.
        self.growth: Growth | None = None
        self._numbers = itertools.count(1)
        # Open while the pool isn't paused.
        self._gate = threading.Event()
        self._gate.set()
        self._leaving = False

    def offer(self, job: Job) -> None:
        """Let a worker take the job. RuntimeError if there is none, and the process starts no more threads."""
        tokens, life = self.tokens, self.life
        if job.terms is None and not tokens.heap_mode:
            tokens.queue.put(job)
        else:
            tokens.put(job)
        # Read before it is asked under the lock: each adder looks after its own job came in, so the last one sees all.
        if (
            life.threads - life.replaced < life.wanted
            and life.ready_count > life.threads - life.busy
            and self.crew.hire()
        ):
            self._start()
        if self.growth is not None:
            self.growth.notice()

    def added(self, job: Job, then: Callable[[], object]) -> None:
        """Threads have no async events."""
        raise NotImplementedError

    def give_up(self, thread: int) -> bool | None:
        """An event hangs in this thread (its ident): give its place away. None if it is none of the pool's workers."""
        if not any(one.ident == thread for one in list(self.threads.values())):
            return None
        given_up = self.crew.give_up()
        self.staff()
        return given_up

    def stop(self, job: Job, attempt: int) -> None:
        """A thread can't be stopped: it sees `current_job().cancelled`, or is let go."""

    def tell_closing(self) -> None:
        """The pool is being closed. Threads see that by themselves."""

    @property
    def trouble(self) -> str:
        """Why jobs wait though there is work for more workers, in words; mostly empty."""
        return ""

    def staff(self) -> None:
        """Start as many threads as there is work for, where a failure is no loss: those that are there do it."""
        try:
            while self.crew.hire():
                self._start()
        except RuntimeError:
            pass

    def resize(self, worker_nums: int) -> None:
        """Have so many workers; those that are too many leave after their jobs."""
        for _ in range(self.crew.resize(worker_nums)):
            self.tokens.wake_one()
        self.staff()

    def pause(self) -> None:
        """Start no more jobs."""
        self._gate.clear()
        self.crew.pause(True)

    def resume(self) -> None:
        """Start jobs again."""
        self.crew.pause(False)
        self._gate.set()
        self.staff()

    def leave(self, deadline: float, monotonic: Callable[[], float]) -> bool:
        """Let each worker go after its job, and wait for them. False if some were busy at the deadline."""
        self._gate.set()
        # First this, then the look: one that is started meanwhile is in it, or tells itself.
        self._leaving = True
        threads = list(self.threads.values())
        for _ in threads:
            self.tokens.wake_one()
        for thread in threads:
            if thread is threading.current_thread():
                continue  # an event of its own that closes the pool
            # A stuck one may never come back: its job has ended, and a daemon thread holds up no exit.
            while thread.is_alive() and self.life.threads > self.life.stuck and monotonic() < deadline:
                thread.join(min(0.05, max(0.0, deadline - monotonic())))
        return self.life.threads <= self.life.stuck

    @property
    def blocks(self) -> bool:
        """Never: each has a thread of its own."""
        return False

    def coroutines(self) -> "dict[tuple[int, int], asyncio.Task[None] | None]":
        """None."""
        return {}

    def stacks(self) -> list[str]:
        """Where the threads of runs that were cut off are just now: a text each."""
        cut_off = list(self.runner.ends.cut_off.items())
        idents = {name: thread.ident or 0 for name, thread in list(self.threads.items())}
        found = stacks.of_threads({idents[name] for _, (name, _) in cut_off if name in idents})
        return [
            f"{name}, run {attempt} of job {job_id}:\n{found[idents[name]]}"
            for (job_id, attempt), (name, _) in cut_off
            if name in idents and idents[name] in found
        ]

    def _start(self) -> None:
        name = f"{self.life.task}-{next(self._numbers)}"
        thread = threading.Thread(target=self._work, args=(name,), name=f"yao_tasks-{name}", daemon=True)
        self.threads[name] = thread
        try:
            thread.start()
            if self._leaving:
                self.tokens.wake_one()
        except RuntimeError:
            del self.threads[name]
            self.can_start = False
            self.crew.dismiss()
            if self.life.threads - self.life.stuck <= 0:
                raise
            # Those that are there do the work.
            log.logger.warning("%s: no further worker thread could be started.", self.life.task)

    def _work(self, name: str) -> None:
        tokens, run, life, counts = self.tokens, self.runner.run, self.life, True
        draw, tally = self._drawer(name), Tally()
        self.tallies[name] = tally
        try:
            while counts:
                token = draw()
                # In one line, since it is on the path of each job: only a pool with priorities has to choose.
                job = tokens.choose(token) if tokens.heap_mode or not isinstance(token, Job) else token
                if job is None:
                    if life.closing:
                        break
                    counts = not self.crew.quit()
                    continue
                # Not started and still ready: the pool is paused.
                while not (ran := run(job, name)) and job.status == READY and not self._abandoned(job):
                    self._gate.wait()
                    # A better one may have come while it was paused.
                    job = tokens.better(job)
                tally.done += ran
                # An idle worker keeps no job, argument or result alive.
                del job, token
                if life.surplus:
                    counts = not self.crew.quit()
        finally:
            del self.threads[name], self.tallies[name]
            if counts:
                self.crew.dismiss()

    def _drawer(self, name: str) -> Callable[[], Job | str | None]:
        """What the worker draws its tokens with. Asked in its thread."""
        return self.tokens.queue.get

    def _abandoned(self, job: Job) -> bool:
        """Whether the pool was closed: whoever did it ends the job."""
        return self.life.closing and self._gate.is_set() and self.life.paused
