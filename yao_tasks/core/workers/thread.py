"""Threads that draw jobs from their pool's queue and run them.

A token in the queue is a permit, not a claim: the job may have been cancelled since; the lifecycle decides.
"""

import itertools
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from yao_tasks.core.crew import Crew
from yao_tasks.core.jobs import READY, Job
from yao_tasks.core.log import logger
from yao_tasks.core.runs import Runner

# Below this many a sweep isn't worth it.
STALE_TOKENS = 64


class ThreadWorkers:
    """The threads of one pool. They start as jobs come, and stay."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.life = runner.life
        self.crew = Crew(runner.life)
        self.tokens: SimpleQueue[Job | None] = SimpleQueue()
        self.threads: set[threading.Thread] = set()
        self._numbers = itertools.count(1)

    def offer(self, job: Job) -> None:
        """Let a worker take the job. RuntimeError if there is none, and the process starts no more threads."""
        self.tokens.put(job)
        if self.life.threads < self.life.wanted and self.crew.hire():
            self._start()

    def sweep(self) -> None:
        """Throw away the tokens of cancelled jobs, where they outnumber those that count."""
        tokens = self.tokens
        if tokens.qsize() <= 2 * self.life.ready_count + STALE_TOKENS:
            return
        for _ in range(tokens.qsize()):
            try:
                job = tokens.get_nowait()
            except Empty:
                return
            if job is None or job.status == READY:
                tokens.put(job)

    def leave(self, deadline: float, monotonic: Callable[[], float]) -> bool:
        """Let each worker go after its job, and wait for them. False if some were busy at the deadline."""
        threads = list(self.threads)
        for _ in threads:
            self.tokens.put(None)
        for thread in threads:
            if thread is threading.current_thread():
                continue  # an event of its own that closes the pool
            # A stuck one may never come back: its job has ended, and a daemon thread holds up no exit.
            while thread.is_alive() and self.life.threads > self.life.stuck and monotonic() < deadline:
                thread.join(min(0.05, max(0.0, deadline - monotonic())))
        return self.life.threads <= self.life.stuck

    def _start(self) -> None:
        name = f"{self.life.task}-{next(self._numbers)}"
        thread = threading.Thread(target=self._work, args=(name,), name=f"yao_tasks-{name}", daemon=True)
        self.threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self.threads.discard(thread)
            self.crew.dismiss()
            if self.life.threads <= 0:
                raise
            # Those that are there do the work.
            logger.warning("%s: no further worker thread could be started.", self.life.task)

    def _work(self, name: str) -> None:
        tokens, run = self.tokens, self.runner.run
        try:
            while (job := tokens.get()) is not None:
                run(job, name)
                # An idle worker keeps no job, argument or result alive.
                job = None
        finally:
            self.threads.discard(threading.current_thread())
            self.crew.dismiss()
