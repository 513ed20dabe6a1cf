"""`worker_max`: a pool that grows while work is queued and the machine has room, and shrinks when it is idle."""

import os
from collections.abc import Callable

from yao_tasks.core.clock import Clock
from yao_tasks.core.lifecycle import Lifecycle

# The clock looks this often, from the first job that has to wait until the pool is small again (s).
STEP = 0.25
# After so much idleness it is small again (s).
IDLE = 10.0


def has_room() -> bool:
    """Whether the machine has less to do than processors to do it; True where nobody can tell."""
    try:
        return os.getloadavg()[0] < (os.cpu_count() or 1)
    except OSError:
        return True


class Growth:
    """Resizes one pool. `notice` is for who offers a job; all else is called by the clock."""

    def __init__(
        self,
        life: Lifecycle,
        clock: Clock,
        resize: Callable[[int], None],
        *,
        most: int,
        room: Callable[[], bool] = has_room,
    ) -> None:
        self.life = life
        self.clock = clock
        self.resize = resize
        self.least = life.wanted
        self.most = most
        self.room = room
        self.reason = ""
        """Why it was resized last, for people; empty before."""
        self._looks = False
        self._idle_since: float | None = None

    def notice(self) -> None:
        """A job has been offered: look after the pool, if the job has to wait."""
        life = self.life
        if not self._looks and life.ready_count > life.threads - life.busy and self.most > self.least:
            self._looks = True
            self.clock.at(self.clock.monotonic() + STEP, self._step)

    def _step(self) -> None:
        now, life = self.clock.monotonic(), self.life
        if life.ready_count:
            self._idle_since = None
            self._grow()
        elif life.busy:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= IDLE and life.wanted > self.least:
            self._change(self.least, f"idle for {IDLE:g} s")
        self._looks = not life.closing and (life.ready_count > 0 or life.wanted > self.least)
        if self._looks:
            self.clock.at(now + STEP, self._step)

    def _grow(self) -> None:
        life = self.life
        if life.paused:
            return
        if not self.room():
            if life.wanted > self.least:
                self._change(life.wanted - 1, "the machine is busy")
            else:
                self.reason = "the machine is busy"
        elif life.wanted < self.most:
            # By half: a long queue is met in a second or two, a short one costs one thread.
            self._change(
                min(self.most, life.wanted + max(1, life.wanted // 2)), f"{life.ready_count} jobs wait"
            )

    def _change(self, worker_nums: int, reason: str) -> None:
        self.reason = reason
        self.resize(worker_nums)
