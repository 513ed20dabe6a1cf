"""How many workers a pool has, and when it needs one more."""

from yao_tasks.core.lifecycle import Lifecycle


class Crew:
    """The places of one pool's workers. Its numbers live in the lifecycle, under the same lock."""

    def __init__(self, life: Lifecycle) -> None:
        self.life = life

    def hire(self) -> bool:
        """Whether one more worker is needed and allowed; it counts from now on."""
        life = self.life
        with life.lock:
            needed = life.threads < life.wanted and life.ready_count > life.threads - life.busy
            if needed:
                life.threads += 1
        return needed

    def dismiss(self) -> None:
        """A worker is gone, or couldn't be started."""
        life = self.life
        with life.lock:
            life.threads -= 1
