"""How many workers a pool has, when it needs one more, and who has to go."""

from yao_tasks.core.lifecycle import Lifecycle


class Crew:
    """The places of one pool's workers. Its numbers live in the lifecycle, under the same lock.

    A worker that is stuck may be replaced: then it stands outside the number of those that are wanted, and
    when it comes back there is one too many.
    """

    def __init__(self, life: Lifecycle) -> None:
        self.life = life

    def hire(self) -> bool:
        """Whether one more worker is needed and allowed; it counts from now on."""
        life = self.life
        with life.lock:
            needed = (
                life.threads - life.replaced < life.wanted and life.ready_count > life.threads - life.busy
            )
            if needed:
                life.threads += 1
        return needed

    def dismiss(self) -> None:
        """A worker is gone, or couldn't be started."""
        life = self.life
        with life.lock:
            life.threads -= 1

    def replace(self) -> bool:
        """Whether the place of a stuck worker may be given to another; it is from now on."""
        life = self.life
        with life.lock:
            allowed = life.stuck > life.replaced and life.replaced < life.most_replaced and not life.closing
            if allowed:
                life.replaced += 1
        return allowed

    def quit(self) -> bool:
        """Asked by a worker after its job: whether it has to go, since there are more than wanted."""
        life = self.life
        with life.lock:
            surplus = life.threads - life.replaced > life.wanted
            if surplus:
                life.threads -= 1
            else:
                life.surplus = False
        return surplus

    def pause(self, paused: bool) -> None:
        """Start no more jobs, or start them again."""
        life = self.life
        with life.lock:
            life.paused = paused

    def give_up(self) -> bool:
        """A worker hangs in an event: its place is given away, outside the number that may be replaced."""
        life = self.life
        with life.lock:
            allowed = not life.closing
            if allowed:
                life.stuck += 1
                life.replaced += 1
                life.most_replaced += 1
        return allowed

    def take_back(self) -> None:
        """A worker came back from an event in which it had been given up."""
        life = self.life
        with life.lock:
            life.stuck -= 1
            life.replaced -= 1
            life.most_replaced -= 1
            life.surplus = True

    def resize(self, worker_nums: int) -> int:
        """Want so many workers. Answers how many there are too many now: each leaves after its job."""
        life = self.life
        with life.lock:
            life.wanted = worker_nums
            surplus = life.threads - life.replaced - worker_nums
            if surplus > 0:
                life.surplus = True
        return max(0, surplus)
