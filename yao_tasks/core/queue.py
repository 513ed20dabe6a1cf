"""The queue of a pool: a token for each job that is ready, first in first out, until priorities come in.

A token is a permit, not a claim: the job may have been cancelled since; the lifecycle decides.

From the first priority other than 0 until nothing waits, the pool is in heap mode: each new job goes on a heap,
and an anonymous token into the queue. A job's own token that is drawn then goes on the heap, too, before all
that came later, and the best is taken. Pools without priorities pay one read for this.
"""

import heapq
import itertools
import threading
from queue import Empty, SimpleQueue

from yao_tasks.core.jobs import READY, Job
from yao_tasks.core.lifecycle import Lifecycle

# Below this many a sweep isn't worth it.
STALE_TOKENS = 64
_ANY = "any"
# Older than whatever is numbered from 0 on.
_FIRST = -(2**62)


class Tokens:
    """Any thread may call any method."""

    def __init__(self, life: Lifecycle) -> None:
        self.life = life
        self.queue: SimpleQueue[Job | str | None] = SimpleQueue()
        self._heap: list[tuple[int, int, Job]] = []
        self._numbers = itertools.count()
        self._old_numbers = itertools.count(_FIRST)
        # Guards the heap, and the change of the mode. Reentrant: a finalizer may add a job.
        self._guard = threading.RLock()
        self._pushes = 0
        self._sweeping = False
        self.heap_mode = False

    def put(self, job: Job) -> None:
        """Add a job that is ready."""
        if self.heap_mode or (job.terms is not None and job.terms.priority):
            self._push(job)
        else:
            self.queue.put(job)

    def wake_one(self) -> None:
        """Have one `get` answer None."""
        self.queue.put(None)

    def choose(self, token: "Job | str | None") -> Job | None:
        """The best there is, for a token drawn from `queue`. None: somebody wants a worker to look up."""
        return None if token is None else self._pop(token)

    def better(self, job: Job) -> Job:
        """The best there is, in place of one that was drawn, which goes back if it isn't that."""
        return (self._pop(job) if self.heap_mode else None) or job

    def sweep(self) -> None:
        """Throw away the tokens of cancelled jobs, where they outnumber those that count."""
        queue = self.queue
        if queue.qsize() <= 2 * self.life.ready_count + STALE_TOKENS or self._sweeping:
            return
        self._sweeping = True
        try:
            self._sweep(self._sweep_heap() if self.heap_mode else 0)
        finally:
            self._sweeping = False

    def _sweep(self, anonymous: int) -> None:
        queue = self.queue
        for _ in range(queue.qsize()):
            try:
                token = queue.get_nowait()
            except Empty:
                return
            if token == _ANY and anonymous:
                anonymous -= 1
            elif not isinstance(token, Job) or token.status == READY:
                queue.put(token)

    def _sweep_heap(self) -> int:
        """Throw away the cancelled jobs on the heap. Answers how many: as many anonymous tokens stand for them."""
        with self._guard:
            while True:
                pushes, old = self._pushes, self._heap
                ready = [entry for entry in old if entry[2].status == READY]
                heapq.heapify(ready)
                # A finalizer may have put one in meanwhile. No call from here to the store: none may now.
                if self._pushes == pushes:
                    self._heap = ready
                    break
            self.heap_mode = bool(ready)
        return len(old) - len(ready)

    def _push(self, job: Job) -> None:
        with self._guard:
            self.heap_mode = True
            self._pushes += 1
            heapq.heappush(self._heap, (-_priority(job), next(self._numbers), job))
        self.queue.put(_ANY)

    def _pop(self, token: Job | str) -> Job | None:
        with self._guard:
            if isinstance(token, Job):
                self._pushes += 1
                heapq.heappush(self._heap, (-_priority(token), next(self._old_numbers), token))
            job = heapq.heappop(self._heap)[2] if self._heap else None
            if not self._heap:
                self.heap_mode = False
        return job


def _priority(job: Job) -> int:
    return 0 if job.terms is None else job.terms.priority
