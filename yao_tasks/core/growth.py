"""`worker_max`: a pool grows while work is queued and the machine has room, and shrinks under load or when idle."""

from collections.abc import Callable

from yao_tasks.core.clock import Clock
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.load import cpu_usage

# The clock looks this often, from the first job that has to wait until the pool is small again (s).
STEP = 0.25
# After so much idleness it is small again (s).
IDLE = 10.0
# The original's rule of thumb: parts of the processors below which it grows, and above which it shrinks.
ROOM = 0.7
BUSY = 0.9


def weigh(wanted: int, least: int, most: int, *, ready: int, usage: float) -> tuple[int, str]:
    """How many workers there should be, and why; the reason is empty where nothing speaks for a change.

    `ready`: jobs that wait for a worker; `usage`: of the processors, 0 to 1.
    """
    busy = f"the machine is busy: {usage:.0%}"
    if usage > BUSY and wanted > least:
        # By a fifth: work that computes finds its place in a second or two.
        return max(least, min(wanted - 1, int(wanted * 0.8))), busy
    if not ready or wanted >= most:
        return wanted, ""
    if usage >= ROOM:
        return wanted, busy
    # By half: a long queue is met in a second or two, a short one costs one worker.
    return min(most, wanted + max(1, wanted // 2)), f"{ready} jobs wait"


class Growth:
    """Resizes one pool. `notice` is for who offers a job; all else is called by the clock."""

    def __init__(
        self,
        life: Lifecycle,
        clock: Clock,
        resize: Callable[[int], None],
        *,
        most: int,
        usage: Callable[[], float] = cpu_usage,
    ) -> None:
        self.life = life
        self.clock = clock
        self.resize = resize
        self.least = life.wanted
        self.most = most
        self.usage = usage
        # In the thread that opens the pool: what tells of the machine may have to be imported.
        usage()
        self.reason = ""
        """Why it was resized last, for people; empty before."""
        self._looks = False
        self._idle_since: float | None = None

    def notice(self) -> None:
        """A job has been offered: look after the pool, if the job has to wait."""
        life = self.life
        if not self._looks and life.ready_count > life.threads - life.busy and self.most > self.least:
            self._looks = True
            self.clock.at(self.clock.monotonic(), self._begin)

    def _begin(self) -> None:
        # What the processors do is told from one look to the next: the last one may be hours old.
        self.usage()
        self.clock.at(self.clock.monotonic() + STEP, self._step)

    def _step(self) -> None:
        now, life = self.clock.monotonic(), self.life
        if life.ready_count or life.busy:
            self._idle_since = None
            self._weigh()
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= IDLE and life.wanted > self.least:
            self._change(self.least, f"idle for {IDLE:g} s")
        self._looks = not life.closing and (life.ready_count > 0 or life.wanted > self.least)
        if self._looks:
            self.clock.at(now + STEP, self._step)

    def _weigh(self) -> None:
        life = self.life
        if life.paused:
            return
        wanted, reason = weigh(life.wanted, self.least, self.most, ready=life.ready_count, usage=self.usage())
        if wanted != life.wanted:
            self._change(wanted, reason)
        elif reason:
            self.reason = reason

    def _change(self, worker_nums: int, reason: str) -> None:
        self.reason = reason
        self.resize(worker_nums)
