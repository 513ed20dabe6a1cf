"""The engine of `drained_tasks` for a durable task."""

from yao_tasks.engines.drained import CountingAnnouncer, CountingEnds, DrainedEngine
from yao_tasks.engines.durable.ends import DurableAnnouncer, DurableEnds
from yao_tasks.engines.durable.engine import DurableEngine
from yao_tasks.journal.durable import counts
from yao_tasks.journal.sql import aware
from yao_tasks.models import JobStatus


class _Announcer(CountingAnnouncer, DurableAnnouncer):
    """Counts the ends that are still to be told, all of which it tells."""


class _Ends(CountingEnds, DurableEnds):
    """Durable ones."""


class DrainedDurableEngine(DrainedEngine, DurableEngine):
    """Comes to rest before the test is over: every row of its task has ended by then."""

    announcer_class = _Announcer
    ends_class = _Ends
    announcer: _Announcer
    ends: _Ends

    def live(self) -> int:
        """How many jobs wait or run, in any process."""
        self.forget_dropped()
        return counts.live(self.home.journal.database, self.size.tasks).count()

    def moved(self) -> int:
        """A number that changes whenever a job comes in or starts."""
        return self.added + self.life.started

    def give_up_waiting(self, deadline: float) -> None:
        """Cancel the jobs that can't end by then (monotonic seconds): not due, or in a paused pool."""
        waiting = counts.live(self.home.journal.database, self.size.tasks).filter(status=JobStatus.WAITING)
        at = self.home.journal.wall() + deadline - self.monotonic()
        late = waiting if self.life.paused else waiting.filter(due_at__gt=aware(at))
        for job_id in late.values_list("job_id", flat=True):
            self.cancel(job_id)
