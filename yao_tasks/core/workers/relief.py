"""What happens to a pool whose workers hang: their places are given to others, until no more may be."""

from yao_tasks.core import log
from yao_tasks.core.crew import Crew
from yao_tasks.core.lifecycle import Lifecycle


class Relief:
    """What workers of all kinds have in common: `relieve` and `came_back`, as `Workforce` says."""

    life: Lifecycle
    crew: Crew
    # Whether the log has been told that no more of them are replaced.
    _told = False

    def relieve(self) -> None:
        """Replace workers that hang, as far as that is allowed. Called by the clock."""
        life = self.life
        while life.stuck > life.replaced and self.crew.replace():
            pass
        self.staff()
        full = life.replaced >= life.most_replaced and life.threads - life.replaced >= life.wanted
        saturated = life.stuck >= life.threads and full
        if saturated and not self._told:
            log.aside(log.saturated, life.task, self.stacks())
        # Once, however many hang by then.
        self._told = saturated

    def came_back(self) -> None:
        """One that hung hangs no more. Called by that worker."""
        # If all of them hang again, that is news.
        self._told = False

    def staff(self) -> None:
        """As `Workers.staff`."""
        raise NotImplementedError

    def stacks(self) -> list[str]:
        """As `Workers.stacks`."""
        raise NotImplementedError
