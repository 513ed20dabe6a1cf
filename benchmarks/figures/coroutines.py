"""How many jobs a second, where the handlers are coroutines."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import jobs
from benchmarks.figures import Scale
from benchmarks.loads import Load, adding, timed
from benchmarks.report import Row, faster, per_job, spread
from benchmarks.rounds import in_turns


def coroutines(scale: Scale) -> Row:
    """Coroutines that do nothing, from the first `add` to the end of the last job."""
    count = scale.jobs(20_000)
    with consumers(10, jobs.anothing) as feed:
        rounds = in_turns(
            scale.rounds,
            ours=lambda: timed(adding("anothing"), count),
            peer=lambda: timed(feed, count),
        )
    return faster(
        f"{count:,} coroutines that do nothing, 10 at once, against an asyncio queue", rounds, jobs=count
    )


def short_coroutines(scale: Scale) -> Row:
    """Coroutines of 10 ms, 20 at once, against the time that these would take at best."""
    count = scale.jobs(1_000)
    ideal = count / 20 * 0.01
    with consumers(20, jobs.ashort) as feed:
        rounds = in_turns(
            scale.rounds,
            ours=lambda: timed(adding("ashort"), count),
            peer=lambda: timed(feed, count),
        )
    return Row(
        what=f"{count:,} coroutines of 10 ms, 20 at once, against the ideal {ideal:g} s",
        ours=per_job(rounds.ours, count),
        peer=f"asyncio queue {per_job(rounds.peer, count)}, "
        f"{spread([seconds / ideal for seconds in rounds.peer])} the ideal",
        ratio=f"**{spread([seconds / ideal for seconds in rounds.ours])} the ideal**",
        noise=spread(rounds.noise),
    )


@contextmanager
def consumers(count: int, handler: Callable[[int], Coroutine[Any, Any, None]]) -> Iterator[Load]:
    """A loop in a thread of its own, so many tasks that take from one queue; answers what feeds it from another."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.new_event_loop()

    async def consume() -> None:
        while True:
            await handler(await queue.get())

    async def main() -> None:
        await asyncio.gather(*(consume() for _ in range(count)))

    running = loop.create_task(main())
    thread = threading.Thread(target=_run, args=(loop, running), daemon=True)
    thread.start()

    def feed(jobs: int) -> None:
        for number in range(jobs):
            loop.call_soon_threadsafe(queue.put_nowait, number)

    try:
        yield feed
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join()
        loop.close()


def _run(loop: asyncio.AbstractEventLoop, main: "asyncio.Task[None]") -> None:
    try:
        loop.run_until_complete(main)
    except asyncio.CancelledError:
        pass
