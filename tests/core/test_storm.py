"""A storm over one pool: random work, random cancels, random commits, at the worst moments that can be made.

The test keeps a log of its own, which knows nothing of the code under test: what each handler and each event
saw, in the order in which it happened. At the end every job has ended exactly once, and nothing is left.
"""

import os
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conformance.conftest import as_coroutine
from tests.conformance.lending import Lender
from tests.conftest import Site, until
from yao_tasks import boot, offspring
from yao_tasks.core import lifecycle
from yao_tasks.core.errors import DuplicateJob, JobNotFound, QueueFull
from yao_tasks.engines import transactions
from yao_tasks.engines.embedded import EmbeddedEngine

SEED = int(os.environ.get("YAO_TASKS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ATTEMPTS = 2
ADDERS = 4


class YieldingLock:
    """A lock that often lets others run just before it is taken and just after it was released."""

    chance = random.Random(SEED)

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        if self.chance.random() < 0.1:
            time.sleep(0)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self.chance.random() < 0.1:
            time.sleep(0)


class FakeConnection:
    """A connection in an `atomic` block, as `transactions` sees it."""

    def __init__(self) -> None:
        self.in_atomic_block = True
        self.autocommit = False
        self.callbacks: list[Callable[[], None]] = []

    def on_commit(self, callback: Callable[[], None], *, robust: bool) -> None:
        assert robust
        self.callbacks.append(callback)

    def commit(self) -> None:
        while self.callbacks:
            self.callbacks.pop(0)()


class Storm:
    """One pool, those who use it, and the log of what they saw."""

    def __init__(self, site: Site, jobs: int, kind: str) -> None:
        self.jobs = jobs
        self.kind = kind
        self.log: list[tuple[str, int]] = []
        self.accepted: list[int] = []
        self.rolled_back: list[int] = []
        self.retried: list[int] = []
        self.calm = threading.Event()
        self.refused: list[int] = []
        self.late: list[int] = []
        # A run of processes goes to and fro between two of them: on a busy machine each would be late, and killed.
        self.timeout = 1.0 if kind == "process" else 0.1
        self.release = threading.Event()
        self.here = threading.local()
        events = {
            "add": lambda job_id: self.event("add", job_id),
            "success": lambda job_id, _: self.event("success", job_id),
            "error": lambda job_id, _: self.event("error", job_id),
            "progress": lambda job_id, *_: self.event("progress", job_id),
        }
        self.pool = site.task(
            "storm",
            as_coroutine(self.work) if kind == "async" else self.work,
            worker_type=kind,
            event=events,
            worker_nums=8,
            size=60,
            attempts=ATTEMPTS,
            attempt_after=1,
            timeout=self.timeout,
            **({"process": f"tests.conformance.bridge.{site.name(self.work)}"} if kind == "process" else {}),
        )

    def event(self, name: str, job_id: int) -> None:
        self.log.append((name, job_id))
        if hash((name, job_id)) % 10 == 0:
            raise SystemExit("an event that raises")

    def work(self, job_id: int) -> str:
        self.log.append(("run", job_id))
        match random.random():
            case x if x < 0.35:
                return "done"
            case x if x < 0.6:
                raise ValueError("no")
            case x if x < 0.8:
                for step in range(3):
                    self.pool.progress(job_id, step, 3, "half")
            case x if x < 0.9:
                self.pool.cancel(job_id)
                self.pool.progress(job_id, 1, 3)  # raises: the run is over
            case x if x < 0.905:
                self.late.append(job_id)
                self.release.wait(2 * self.timeout)  # past its deadline
        return "done"

    def add_some(self, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(self.jobs // ADDERS):
            match chance.random():
                case x if x < 0.2:
                    self.add_in_transaction(chance)
                case x if x < 0.25:
                    self.add_many(chance)
                case _:
                    self.add(chance)

    def add(self, chance: random.Random) -> None:
        try:
            job_id = self.pool.using(**self.options(chance)).add()
        except (QueueFull, DuplicateJob):
            self.refused.append(1)
            time.sleep(0.001)
            return
        self.accepted.append(job_id)
        if chance.random() < 0.2:
            self.pool.cancel(job_id)
        if chance.random() < 0.05:
            self.look(job_id)

    def options(self, chance: random.Random) -> dict[str, Any]:
        options = {
            "run_after": chance.random() / 100,
            "priority": chance.randrange(-100, 101),
            "unique": str(chance.randrange(5)),
            "timeout": self.timeout / 2,
            "expires": chance.random() / 10,
        }
        return {name: value for name, value in options.items() if chance.random() < 0.1}

    def add_many(self, chance: random.Random) -> None:
        calls, partial = [()] * chance.randrange(1, 30), chance.random() < 0.5
        try:
            ids = self.pool.add_many(calls, partial=partial)
        except QueueFull:
            self.refused += [1] * len(calls)
            return
        self.accepted += [job_id for job_id in ids if job_id]
        self.refused += [1] * ids.count(0)

    def steer(self) -> None:
        """Pause, resize, purge and retry, until the adders are done."""
        chance = random.Random(SEED - 1)
        while not self.calm.wait(0.002):
            match chance.random():
                case x if x < 0.1:
                    self.pool.pause()
                    time.sleep(0.002)
                    self.pool.resume()
                case x if x < 0.3:
                    self.pool.resize(chance.randrange(1, 12))
                case x if x < 0.32:
                    self.pool.purge(delayed=chance.random() < 0.5)
                case x if x < 0.8:
                    self.retry_some(chance)
                case _:
                    self.pool.search(text="1", limit=5)
        self.pool.resume()
        self.pool.resize(8)

    def retry_some(self, chance: random.Random) -> None:
        for info in self.pool.search(status="FAILURE", limit=3):
            try:
                self.pool.retry(info.id)
            except (QueueFull, DuplicateJob):
                self.refused.append(1)
            except (ValueError, JobNotFound):
                pass  # somebody else was first
            else:
                self.retried.append(info.id)

    def add_in_transaction(self, chance: random.Random) -> None:
        connection = self.here.connection = FakeConnection()
        try:
            job_id = self.pool.add()
        except QueueFull:
            self.refused.append(1)
            return
        finally:
            self.here.connection = None
        if chance.random() < 0.2:
            self.pool.cancel(job_id)
        if chance.random() < 0.5:
            self.accepted.append(job_id)
            connection.commit()
        else:
            self.rolled_back.append(job_id)
            connection.callbacks.clear()

    def look(self, job_id: int) -> None:
        assert self.pool.get(job_id).id == job_id
        self.pool.metrics()
        dict(self.pool.jobs)
        self.pool.wait(job_id, 10)


@pytest.fixture
def switching(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads that switch as often as they can, and a lock that yields."""
    monkeypatch.setattr(lifecycle, "RLock", YieldingLock)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def run_storm(storm: Storm) -> EmbeddedEngine:
    threads = [threading.Thread(target=storm.add_some, args=(SEED + number,)) for number in range(ADDERS)]
    steering = threading.Thread(target=storm.steer)
    for thread in [*threads, steering]:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), f"an adder hangs (seed {SEED})"
    storm.calm.set()
    steering.join(30)
    assert not steering.is_alive(), f"steering hangs (seed {SEED})"
    engine = boot.engine("storm")
    assert isinstance(engine, EmbeddedEngine)
    # Each process that was killed is followed by another, which has Django to load.
    until(lambda: not storm.pool.jobs, f"all jobs to end (seed {SEED})", seconds=60)
    until(lambda: not engine.life.busy and not engine.watch.calling, f"all workers to rest (seed {SEED})")
    until(
        lambda: ended_events(storm) >= len(storm.accepted) + len(storm.retried),
        f"all ends to be told (seed {SEED})",
    )
    return engine


def ended_events(storm: Storm) -> int:
    return sum(name in ("success", "error") for name, _ in storm.log)


def check_log(storm: Storm) -> None:
    told: dict[int, list[str]] = defaultdict(list)
    for name, job_id in list(storm.log):
        told[job_id].append(name)
    assert set(told) <= set(storm.accepted), "a job that never was was told of"
    lives = Counter(storm.accepted) + Counter(storm.retried)
    for job_id in storm.accepted:
        names = told[job_id]
        ends = [name for name in names if name in ("success", "error")]
        assert names[0] == "add", (job_id, names)
        assert len(ends) == lives[job_id], (job_id, names, lives[job_id], storm.pool.get(job_id))
        assert names.count("add") == 1, (job_id, names)
        assert names.count("run") <= (ATTEMPTS + 1) * lives[job_id], (job_id, names)
        status = storm.pool.get(job_id).status
        assert status == {"success": "SUCCESS", "error": "FAILURE"}[ends[-1]], (job_id, names)
    for job_id in storm.rolled_back:
        with pytest.raises(JobNotFound):
            storm.pool.get(job_id)


def check_numbers(storm: Storm) -> None:
    numbers, names = storm.pool.metrics(), Counter(name for name, _ in storm.log)
    # Where its work can be stopped, one that was late is tried again.
    assert storm.kind == "process" or numbers["failed"]["timeout"] > 0 or storm.late, "no run was late"
    assert numbers["added"] == len(storm.accepted) == names["add"]
    assert numbers["succeeded"] == names["success"]
    assert sum(numbers["failed"].values()) == names["error"]
    # A coroutine may be cancelled before its first step, and a process killed before it has called its handler.
    assert numbers["started"] == names["run"] or (
        storm.kind != "thread" and numbers["started"] > names["run"]
    )
    assert numbers["refused"] == len(storm.refused)
    left = ("waiting", "delayed", "running", "stuck", "oldest_waiting")
    assert {name: numbers[name] for name in left} == dict.fromkeys(left, 0)


def check_nothing_is_left(engine: EmbeddedEngine) -> None:
    life = engine.life
    assert (life.jobs, life.running, engine.watch.calling) == ({}, {}, {})
    assert (life.queued, life.ready_count, life.postponed, life.busy) == (0, 0, 0, 0)
    assert (life.stuck, life.replaced, life.keys, engine.ends.cut_off) == (0, 0, {}, {})
    assert not engine.ends._came_back
    assert not engine.places.waiting
    assert engine.dropped.empty()
    until(lambda: 0 < life.threads <= life.wanted == 8, "surplus workers to leave")
    if engine.worker_type == "thread":
        assert life.threads == len(engine.workers.threads)
    else:
        assert (engine.workers.coroutines(), engine.home.loop().lent.loans) == ({}, {})
    remembered = [*engine.retention.successes, *engine.retention.failures]
    assert sorted(life.ended) == sorted(job.id for job in remembered)
    until(lambda: not engine.watch.watched, "the clock to rest")


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize(
    ("kind", "jobs"),
    [
        ("thread", 2_000),
        pytest.param("async", 2_000, marks=pytest.mark.slow),
        pytest.param("process", 500, marks=pytest.mark.slow),
        pytest.param("thread", 40_000, marks=pytest.mark.slow),
        pytest.param("async", 40_000, marks=pytest.mark.soak),
        pytest.param("process", 4_000, marks=pytest.mark.soak),
    ],
)
def test_in_a_storm_each_job_ends_exactly_once_and_nothing_is_left(
    site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch, kind: str, jobs: int
) -> None:
    print(f"seed: {SEED}; YAO_TASKS_SEED={SEED} repeats it")
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION_MAX": 10**6}
    if kind == "process":
        monkeypatch.setattr(offspring, "Spawner", Lender)
    storm = Storm(site, jobs, kind)
    monkeypatch.setattr(transactions, "open_block", lambda _: getattr(storm.here, "connection", None))

    engine = run_storm(storm)

    check_log(storm)
    check_numbers(storm)
    check_nothing_is_left(engine)
    assert len(storm.accepted) > jobs / 10
