"""One look for all who follow a job in an event loop: the streams of a job share a task that looks at its pool.

pool <-- looks -- Feed <-- wait -- stream, stream, stream …
"""

import asyncio
from contextvars import Context

from asgiref.sync import sync_to_async

from yao_tasks import servers
from yao_tasks.api.threads import close_connections
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.core.log import logger
from yao_tasks.pools import Pool

# A bar that moves this often looks smooth; every stream sees an end soon (s).
LOOK = 0.4
# What only a database knows is looked at less often (s).
LOOK_AT_ROWS = 0.8

Key = tuple[asyncio.AbstractEventLoop, str, int]
_feeds: dict[Key, "Feed"] = {}


class Feed:
    """What is to be seen of one job. In one event loop only, whose thread alone touches it."""

    def __init__(self, key: Key, pool: Pool, info: JobInfo) -> None:
        self.key = key
        self.pool = pool
        self.info = info
        self.is_over = False
        """Whether nothing more will come: the job has ended, is not known any more, or the server leaves."""
        self.followers = 0
        self.changed = asyncio.Event()
        # With a context of its own: that of the request that came first ends with it.
        self.task = key[0].create_task(self._look_again_and_again(), context=Context())

    async def wait(self, seen: JobInfo, seconds: float) -> None:
        """Wait until there is something else to be seen, or so long."""
        if self.info is not seen or self.is_over:
            return
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            pass

    async def _look_again_and_again(self) -> None:
        recorded = "record" in self.pool.supports
        try:
            while not self.info.is_finished and not servers.is_leaving():
                await asyncio.sleep(LOOK_AT_ROWS if recorded else LOOK)
                info = await self._look(in_thread=recorded)
                if info != self.info:
                    self._show(info)
        except JobNotFound:
            pass
        except Exception:  # noqa: BLE001 - the database's, or the pool's
            # Whoever follows asks again, and is told by the status what is wrong.
            logger.exception("%s: the streams of job %s have ended.", self.pool.id, self.info.id)
        finally:
            self.is_over = True
            self._show(self.info)

    async def _look(self, *, in_thread: bool) -> JobInfo:
        job_id = self.info.id
        if not in_thread:
            return await self.pool.aget(job_id)

        def look() -> JobInfo:
            try:
                return self.pool.get(job_id)
            finally:
                close_connections()

        return await sync_to_async(look)()

    def _show(self, info: JobInfo) -> None:
        self.info = info
        before, self.changed = self.changed, asyncio.Event()
        before.set()


class follow:  # noqa: N801 - reads as what it does
    """`async with follow(pool, info) as feed`: the job's feed, which ends with the last of its followers."""

    def __init__(self, pool: Pool, info: JobInfo) -> None:
        self.key = (asyncio.get_running_loop(), pool.id, info.id)
        feed = _feeds.get(self.key)
        if feed is None or feed.is_over:
            feed = _feeds[self.key] = Feed(self.key, pool, info)
        self.feed = feed

    async def __aenter__(self) -> Feed:
        self.feed.followers += 1
        return self.feed

    async def __aexit__(self, *failure: object) -> None:
        self.feed.followers -= 1
        if not self.feed.followers:
            self.feed.task.cancel()
            if _feeds.get(self.key) is self.feed:
                del _feeds[self.key]
