"""What the conformance suite shares: tasks of every worker kind, and notes of what their events told."""

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from asgiref.sync import sync_to_async

from tests import children
from tests.conformance.durable import EXCEPT
from tests.conformance.lending import Lender
from tests.conftest import Site
from tests.databases import database, known
from yao_tasks import boot, conf, current_job
from yao_tasks.models import JobOwner, JobRecord, PausedTask
from yao_tasks.pools import Pool

# A new kind of worker joins the suite by its name here.
KINDS = ["thread", "async", "process", "durable", "durable-async", "durable-process"]


class MakeTask(Protocol):
    def __call__(self, handler: Callable[..., Any], task: str = ..., **keys: Any) -> Pool: ...


# The quick tier has the suite over threads, and what is asked first over coroutines: processes take seconds to start.
_TIERS = {
    "thread": "thread",
    "async": pytest.param("async", marks=pytest.mark.slow),
    "process": pytest.param("process", marks=pytest.mark.slow),
    # In threads, and in rows of a database.
    "durable": pytest.param("durable", marks=pytest.mark.slow),
    "durable-async": pytest.param("durable-async", marks=pytest.mark.soak),
    "durable-process": pytest.param("durable-process", marks=pytest.mark.soak),
}
_ASKED_FIRST = {"tests.conformance.test_cancelling", "tests.conformance.test_failing"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test once for each kind; `@pytest.mark.kinds(…)` names those of which it is true, and its comment why."""
    if "kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("kinds")
        # What is true of both is held to be true of durable coroutines and processes.
        true_of = set(KINDS if marker is None else marker.args)
        if metafunc.function.__name__ in EXCEPT:
            true_of.discard("durable")
        kinds = [kind for kind in KINDS if true_of.issuperset(kind.split("-"))]
        quick = {"async": "async"} if metafunc.module.__name__ in _ASKED_FIRST else {}
        tiers = _TIERS | quick
        metafunc.parametrize("kind", [tiers[kind] for kind in kinds], indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the tasks are that `task` makes: their `worker_type`, or `durable`, or both."""
    if request.param.endswith("process"):
        monkeypatch.setattr("yao_tasks.offspring.Spawner", Lender)
    if request.param.startswith("durable"):
        # First, so that its pools are closed before the database is gone.
        own = request.node.get_closest_marker("django_db") is None
        request.getfixturevalue("durably" if own else "durably_beside")
    return str(request.param)


@pytest.fixture(scope="session")
def rows_database(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[dict[str, Any]]:
    """A database for durable jobs: what settings say of it."""
    with django_db_blocker.unblock(), database("sqlite", tmp_path_factory.mktemp("rows")) as config:
        yield config


@pytest.fixture
def durably_beside(transactional_db: None, site: Site, settings: Any) -> Iterator[None]:
    """The same, with the rows in the database that the test itself uses."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RUN_DURABLE": True, "POLL_INTERVAL": 0.2}
    conf.reset()
    yield
    boot.reset()


@pytest.fixture
def durably(
    rows_database: dict[str, Any], site: Site, settings: Any, django_db_blocker: Any
) -> Iterator[None]:
    """This process runs durable jobs as soon as it uses their tasks."""
    with django_db_blocker.unblock(), known(rows_database) as alias:
        settings.YAO_TASKS = {
            **settings.YAO_TASKS,
            "RUN_DURABLE": True,
            "DATABASE": alias,
            "POLL_INTERVAL": 0.2,
        }
        conf.reset()
        yield
        boot.reset()
        for model in (JobRecord, JobOwner, PausedTask):
            model.objects.using(alias).all().delete()


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that other tests have used are used again: it takes longer to start one than most tests to run."""
    monkeypatch.setattr("yao_tasks.offspring.Spawner", Lender)


@pytest.fixture
def child_task(site: Site) -> Callable[..., Pool]:
    """Make a task whose handler is `tests.children.<name>`, run by process workers."""

    def make(name: str, task: str = "job", **keys: Any) -> Pool:
        return site.task(
            task, getattr(children, name), process=f"tests.children.{name}", worker_type="process", **keys
        )

    return make


@pytest.fixture
def task(site: Site, kind: str) -> MakeTask:
    """Make a task whose handler is run by workers of the kind, and answer its pool.

    Making another closes the pools that are open: make all of a test's tasks before its first job.
    """

    return maker(site, kind, as_coroutine)


@pytest.fixture
def stubborn_task(site: Site, kind: str) -> MakeTask:
    """The same, with handlers that go on whatever is done to their runs."""
    return maker(site, kind, as_stubborn_coroutine)


def maker(site: Site, kind: str, awaited: Callable[..., Any]) -> MakeTask:
    def make(handler: Callable[..., Any], task: str = "job", **keys: Any) -> Pool:
        if kind.endswith("async"):
            handler = awaited(handler)
        if kind.endswith("process"):
            # By a name that the child can import: see `bridge`.
            keys["process"] = f"tests.conformance.bridge.{site.name(handler)}"
        if kind.startswith("durable"):
            keys["durable"] = True
        worker_type = kind.removeprefix("durable").removeprefix("-") or "thread"
        return site.task(task, handler, worker_type=worker_type, **keys)

    return make


def as_coroutine(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A plain handler as an async one, which leaves it to a thread of the loop's: there it may block."""

    @functools.wraps(handler, updated=())
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return await sync_to_async(functools.partial(handler, *args, **kwargs), thread_sensitive=False)()

    return coroutine


def as_stubborn_coroutine(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but a cancel is swallowed."""

    @functools.wraps(handler, updated=())
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        call = functools.partial(handler, *args, **kwargs)
        work = asyncio.ensure_future(sync_to_async(call, thread_sensitive=False)())
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                pass
        return work.result()

    return coroutine


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One call of an event."""

    event: str
    job: int
    values: tuple[Any, ...]
    thread: threading.Thread
    inside: tuple[str, int, int] | None
    """`current_job()` there: task, id, attempt."""


class Notes:
    """Events that write down how they were called. `also` runs within the event named, after its note."""

    def __init__(self) -> None:
        self.all: list[Note] = []
        self.also: dict[str, Callable[..., Any]] = {}

    def events(self, *names: str) -> dict[str, Callable[..., Any]]:
        """What a definition's `event` is given; all four if no name is."""
        return {name: self._event(name) for name in names or ("add", "success", "error", "progress")}

    def names(self, job_id: int) -> list[str]:
        """The events that one job had, in order."""
        return [note.event for note in self.of(job_id)]

    def of(self, job_id: int) -> list[Note]:
        """The calls of one job's events, in order."""
        return [note for note in self.all if note.job == job_id]

    def _event(self, name: str) -> Callable[..., Any]:
        def event(job_id: int, *values: Any) -> None:
            job = current_job()
            inside = (job.task, job.id, job.attempt) if job is not None else None
            self.all.append(
                Note(event=name, job=job_id, values=values, thread=threading.current_thread(), inside=inside)
            )
            if name in self.also:
                self.also[name](job_id, *values)

        return event


@pytest.fixture
def notes() -> Notes:
    """A notebook for events."""
    return Notes()
