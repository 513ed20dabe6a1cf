"""What a pool needs of its workers, whatever they are."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from yao_tasks.core.crew import Crew
from yao_tasks.core.ends import Workforce
from yao_tasks.core.growth import Growth
from yao_tasks.core.jobs import Job
from yao_tasks.core.queue import Tokens
from yao_tasks.core.workers.tally import Tally

if TYPE_CHECKING:
    import asyncio


class Workers(Workforce, Protocol):
    """The workers of one pool. Any thread may call any method."""

    crew: Crew
    tokens: Tokens
    growth: Growth | None
    """Of a pool with `worker_max`."""
    threads: dict[str, threading.Thread]
    """Threads of the pool in which handlers or events run, by name."""
    tallies: dict[str, Tally]
    """What each worker has done, by its name; of coroutines, which have none, empty."""
    can_start: bool
    """Whether more workers may still be started."""

    def added(self, job: Job, then: Callable[[], object]) -> None:
        """Have an async event.add awaited, and `then` called after it. Of coroutine workers alone."""

    def tell_closing(self) -> None:
        """Let the running jobs know that the pool is being closed, where they can't see that themselves."""

    @property
    def trouble(self) -> str:
        """Why no worker could be started lately, or what becomes of them, in words; mostly empty."""

    def staff(self) -> None:
        """Have as many workers as there is work for, where a failure to start one is no loss."""

    def give_up(self, thread: int) -> bool | None:
        """An event hangs in this thread (its ident): give its place away. None if it is none of `threads`."""

    def resize(self, worker_nums: int) -> None:
        """Have so many workers; those that are too many leave after their jobs."""

    def pause(self) -> None:
        """Start no more jobs."""

    def resume(self) -> None:
        """Start jobs again."""

    def leave(self, deadline: float, monotonic: Callable[[], float]) -> bool:
        """Let each worker go after its job, and wait for them. False if some were busy at the deadline."""

    def coroutines(self) -> "dict[tuple[int, int], asyncio.Task[None] | None]":
        """The runs that are coroutines, by job and attempt; None for one that hasn't waited for anything yet."""

    @property
    def blocks(self) -> bool:
        """Whether the calling thread is the one that all of them need, so that none goes on while it waits."""

    def stacks(self) -> list[str]:
        """Where the runs that were cut off are just now: a text each."""
