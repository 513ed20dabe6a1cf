"""How an embedded pool is steered, and how it comes to its end."""

from typing import TYPE_CHECKING

from yao_tasks.core import log
from yao_tasks.core.current import current_job
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.failures import cancelled, lost
from yao_tasks.core.jobs import DELAYED, READY, RETRYING, JobInfo, draw
from yao_tasks.core.lifecycle import WAITS
from yao_tasks.core.snapshots import first_of
from yao_tasks.core.waiting import wait
from yao_tasks.engines.parts import Parts

if TYPE_CHECKING:
    from yao_tasks.core.workers.lag import Running

# Who waits for a pool to settle looks this often at what nobody tells of (s).
LOOK = 0.05
# What an announcer is given to tell the last ends of a pool that is closed (s).
LAST_WORDS = 1.0


class Steering(Parts):
    """The steering half of an embedded pool."""

    def progress(self, job_id: int, current: float, total: float, message: str) -> None:
        """Report progress, as `Engine.progress` says."""
        inside = current_job()
        if inside is not None and inside.id == job_id and inside.task == self.definition.id:
            # Of this run, not of one that has followed it.
            inside.progress(current, total, message)
        else:
            self.announcer.report(self.find(job_id), None, current, total, message)

    def cancel(self, job_id: int) -> bool:
        """End the job, as `Engine.cancel` says."""
        try:
            job = self.find(job_id)
        except JobNotFound:
            return False
        done = self.ends.cut(job, cancelled("The job was cancelled."))
        self._after_cuts()
        return done

    def purge(self, *, delayed: bool) -> int:
        """Cancel what waits, as `Engine.purge` says."""
        self.forget_dropped()
        wanted = (READY, DELAYED, RETRYING) if delayed else (READY,)
        error = cancelled("The queue was purged.")
        jobs = [job for job in list(self.life.jobs.values()) if job.status in wanted]
        # One that starts just now is left alone.
        count = sum(self.ends.cut(job, error, among=WAITS) for job in jobs)
        self._after_cuts()
        return count

    def pause(self) -> None:
        """Start no more jobs, as `Engine.pause` says."""
        self.workers.pause()

    def resume(self) -> None:
        """Start jobs again."""
        self.workers.resume()

    def resize(self, worker_nums: int) -> None:
        """Have so many workers, as `Engine.resize` says."""
        growth = self.workers.growth
        if growth is not None:
            growth.least = min(worker_nums, growth.most)
        self.workers.resize(worker_nums)

    def live(self) -> int:
        """How many jobs wait or run."""
        self.forget_dropped()
        return len(self.life.jobs)

    def running(self) -> int:
        """How many jobs run."""
        return len(self.life.running)

    def running_here(self, most: int) -> list[JobInfo]:
        """Pictures of those, as `Engine.running_here` says."""
        jobs = first_of(self.life.running.values(), most)
        return [draw(job, self.life.task, self.life.lock) for job in jobs]

    def coroutines(self) -> "list[Running]":
        """The runs that are coroutines."""
        task = self.definition.id
        return [(task, job_id, attempt, one) for (job_id, attempt), one in self.workers.coroutines().items()]

    def can_work(self) -> bool:
        """Whether anybody is left to run them: a worker that isn't stuck, or one that may take its place."""
        life = self.life
        if life.paused:
            return bool(life.running)
        if not life.threads or life.threads > life.stuck:
            return True
        return self.workers.can_start and life.replaced < life.most_replaced

    def refuse(self) -> None:
        """Take no more jobs, and let the running ones know."""
        self.life.close()
        self.workers.tell_closing()

    def close(self, timeout: float) -> list[int]:
        """Close the pool, as `Engine.close` says."""
        self.refuse_to_block(f'"{self.definition.id}" can\'t be closed', "asyncio.to_thread(pool.close)")
        deadline = self.monotonic() + timeout
        self.refuse()
        self.forget_dropped()
        self.settle_down(deadline)
        error = lost("The pool was closed before the job could end.")
        left = [job.id for job in list(self.life.jobs.values()) if self.ends.cut(job, error)]
        if left:
            log.lost(self.definition.id, left)
        self.workers.leave(deadline, self.monotonic)
        self.announcer.finish(max(LAST_WORDS, deadline - self.monotonic()))
        return left

    def settle_down(self, deadline: float) -> None:
        """Wait until no job lives any more, nobody is left to run it, or the deadline (monotonic) has passed."""
        inside = current_job()
        # Who closes his own pool doesn't wait for himself.
        mine = inside.id if inside is not None and inside.task == self.definition.id else None
        while (left := deadline - self.monotonic()) > 0:
            self.forget_dropped()
            job = next((job for job in list(self.life.jobs.values()) if job.id != mine), None)
            if job is None or not self.can_work():
                return
            wait(job, self.life.lock, min(left, LOOK))

    def _after_cuts(self) -> None:
        self.workers.tokens.sweep()
        if self.places.waiting:
            self.places.free()
