"""Foreign finalizers may run at any allocation and at any `del`: they must find no lock of ours held."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured

from tests import children
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot
from yao_tasks.errors import JobNotFound, PoolClosed
from yao_tasks.pools import Pool


class Meddler:
    """Something whose end asks and adds in the pool that it was given to."""

    # Set while the test runs that made it: what retention kept ends later.
    armed = threading.Event()
    ended = 0

    def __init__(self, pool: Pool, job_id: int = 12) -> None:
        self.pool = pool
        self.job_id = job_id
        self.armed = Meddler.armed
        self.itself = self  # only the garbage collector ends it

    def __del__(self) -> None:
        if not self.armed.is_set():
            return
        type(self).ended += 1
        try:
            self.pool.get(self.job_id)
        except JobNotFound:
            pass
        try:
            self.pool.cancel(self.pool.add("from a finalizer"))
        except (PoolClosed, ImproperlyConfigured):  # the test is over, and what its pool kept ends with it
            return
        self.pool.metrics()
        list(self.pool.jobs.items())


class AtOnce(Meddler):
    """One that ends with its last reference."""

    def __init__(self, pool: Pool, job_id: int = 12) -> None:
        super().__init__(pool, job_id)
        del self.itself


@pytest.fixture(autouse=True)
def _armed(site: Site) -> Iterator[None]:
    # Disarmed before the site is taken down: what ends then finds no task.
    Meddler.armed = threading.Event()
    Meddler.armed.set()
    yield
    Meddler.armed.clear()


@pytest.fixture
def often() -> Iterator[None]:
    """A garbage collection at nearly every allocation of a container."""
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    yield
    gc.set_threshold(*before)


def within_time(call: Callable[[], object]) -> None:
    """Call in a thread of its own, which a deadlock would keep from coming back."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "a lock is held that a finalizer came back for"
    assert errors == []


@pytest.mark.slow
@pytest.mark.parametrize("retention", [0, 60])
@pytest.mark.parametrize("kind", [AtOnce, Meddler])
def test_finalizers_of_arguments_and_results_may_use_the_pool(
    site: Site, settings: Any, kind: type[Meddler], retention: float
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION_MAX": 5}

    def handler(job_id: int, *args: object) -> object:
        if "fails" in args:
            raise ValueError(kind(pool, job_id))
        return kind(pool, job_id) if "returns" in args else None

    pool = site.task(
        "job", handler, worker_nums=2, size=10_000, attempts=1, attempt_after=1, retention=retention
    )
    kind.ended = 0

    def use() -> None:
        for _ in range(20):
            pool.add(kind(pool))
            pool.add("returns")
            pool.add("fails", kind(pool))
            pool.cancel(pool.add(kind(pool)))
        until(lambda: not pool.jobs, "the jobs to end")
        gc.collect()

    within_time(use)

    # Those of 60 arguments; retention keeps some.
    # While another thread collects, a collection does nothing.
    until(lambda: (gc.collect(), kind.ended >= 40)[1], "them to end")
    until(lambda: not pool.jobs, "what the finalizers added")


def test_a_collection_while_the_announcers_thread_is_made_may_cancel(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = site.gate()
    pool = site.task("job", gate, worker_nums=1, event={"error": lambda job_id, error: told.append(job_id)})
    told: list[int] = []
    pool.add()
    gate.entered()
    first, second = pool.add(), pool.add()

    class Collecting(threading.Thread):
        """As if a collection came upon garbage just now, whose finalizer cancels."""

        def __init__(self, **keys: Any) -> None:
            if keys["name"].endswith("announcer"):
                pool.cancel(second)
            super().__init__(**keys)

    def cancel() -> None:
        with monkeypatch.context() as patched:
            patched.setattr("threading.Thread", Collecting)
            pool.cancel(first)

    within_time(cancel)

    until(lambda: sorted(told) == [first, second], "both events")
    assert len([t for t in threading.enumerate() if t.name.endswith("announcer")]) == 1


@pytest.mark.usefixtures("often")
def test_a_collection_at_every_step_of_the_first_job_may_use_its_pool(site: Site) -> None:
    pool = site.task("job", lambda job_id, *args: None, size=10_000)

    def first_use() -> None:
        for _ in range(5):
            Meddler(pool)
        pool.wait(pool.add(), SECONDS)
        gc.collect()

    within_time(first_use)

    until(lambda: not pool.jobs, "the jobs to end")


@pytest.mark.parametrize("kind", ["thread", "async"])
def test_no_lock_keeps_its_own_thread_out(site: Site, kind: str) -> None:
    """A collection may come as a lock is taken or let go of: that is a call itself."""

    async def coroutine(job_id: int) -> None:
        pass

    pool = site.task("job", coroutine if kind == "async" else lambda job_id: None)
    pool.wait(pool.add(), SECONDS)
    engine: Any = boot.engine(pool.id)
    home = engine.home
    guards = [one._guard for one in (engine.watch, engine.ends, engine.announcer, engine.workers.tokens)]
    guards += [engine.life.lock, home.clock._starting, home.ids._changing]
    if kind == "async":
        guards += [one._guard for one in (home.loop(), home.loop().lent, engine.workers.helpers)]

    def use() -> None:
        with ExitStack() as stack:
            for guard in guards:
                stack.enter_context(guard)
            job_id = pool.using(priority=1).add()
            pool.cancel(job_id)
            pool.get(job_id)
            pool.metrics()

    within_time(use)


EVENTS = ("add", "success", "error", "progress")


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    "kind",
    [
        "thread",
        pytest.param("async", marks=pytest.mark.slow),
        pytest.param("process", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("events", ["none", "plain", "async"])
def test_a_collection_anywhere_may_use_the_pool(site: Site, kind: str, events: str) -> None:
    """Also as a lock is taken or let go of: that is a call itself."""
    left = [Meddler] * 60

    def litter(*_: Any) -> None:
        # Not without end: what it adds litters, too.
        if left:
            left.pop()(pool)

    async def alitter(*_: Any) -> None:
        litter()

    def handler(job_id: int, *args: object) -> None:
        litter()
        if args:
            raise ValueError

    async def coroutine(job_id: int, *args: object) -> None:
        await sync_to_async(handler)(job_id, *args)

    event = alitter if events == "async" and kind == "async" else litter
    keys: dict[str, Any] = {} if events == "none" else {"event": dict.fromkeys(EVENTS, event)}
    match kind:
        case "process":
            keys |= {"process": "tests.children.nothing", "worker_type": "process"}
            pool = site.task("job", children.nothing, size=10_000, **keys)
        case "async":
            pool = site.task("job", coroutine, size=10_000, **keys)
        case _:
            pool = site.task("job", handler, size=10_000, **keys)

    def use() -> None:
        for _ in range(4):
            for _ in range(3):
                Meddler(pool)
            ids = [pool.add(), pool.add("fails")]
            pool.cancel(pool.add())
            for job_id in ids:
                pool.wait(job_id, SECONDS)
        gc.collect()

    within_time(use)

    Meddler.armed.clear()
    until(lambda: not pool.jobs, "the jobs to end")


class Thing:
    """Something that can be watched."""


@pytest.mark.parametrize("how", ["returns", "raises", "is retried", "is cancelled", "times out"])
def test_what_is_idle_holds_no_argument_result_or_exception(
    site: Site, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    # What is logged, the test run keeps.
    caplog.set_level(logging.CRITICAL, "yao_tasks")
    held: list[weakref.ref[Any]] = []
    gate = site.gate()

    class Failure(Exception):
        pass

    def handler(job_id: int, thing: Thing, **kwargs: Thing) -> Thing:
        if how in ("is cancelled", "times out"):
            gate(job_id)
        if how == "raises" or (how == "is retried" and len(held) == 2):
            failure = Failure()
            held.append(weakref.ref(failure))
            raise failure
        result = Thing()
        held.append(weakref.ref(result))
        return result

    pool = site.task(
        "job",
        handler,
        worker_nums=1,
        retention=0,
        attempts=1 if how == "is retried" else 0,
        attempt_after=1,
        timeout=0.05 if how == "times out" else 10,
        event={"success": lambda job_id, result: None, "error": lambda job_id, error: None},
    )

    def add() -> int:
        first, second = Thing(), Thing()
        held.extend([weakref.ref(first), weakref.ref(second)])
        return pool.add(first, second=second)

    job_id = add()
    if how == "is cancelled":
        gate.entered()
        pool.cancel(job_id)
    until(lambda: not pool.jobs, "the job to end")
    gate.open()
    until(lambda: not pool.metrics()["stuck"], "its thread to come back")

    def all_gone() -> bool:
        gc.collect()
        return not any(thing() for thing in held)

    until(all_gone, f"all to go: {held}")
    assert len(held) == (4 if how == "is retried" else 3)
    # The threads are all still there.
    assert pool.metrics()["workers"] == 1
