"""What all tests share: tasks made on the spot, and a look for what a test left behind."""

import gc
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis

from tests.vendors import vendor_database
from yao_tasks import boot, handlers
from yao_tasks.pools import Pool, tasks

# One for all suites: pytest makes an instance for each conftest that names a fixture.
__all__ = ["vendor_database"]

KEYS = {"name": "A test", "worker_nums": 2, "attempts": 0, "attempt_after": 10, "timeout": 10, "size": 100}
SECONDS = 10

# A busy machine is no fault of the code.
hypothesis.register_profile("yao_tasks", deadline=None)
hypothesis.load_profile("yao_tasks")


def until(
    question: Callable[[], Any], what: str | Callable[[], str] = "it", *, seconds: float = SECONDS
) -> Any:
    """Wait for a state: answers what `question` answers as soon as that is true. Fails after 10 s, or `seconds`.

    `what`: is said then; a callable is asked then.
    """
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {seconds} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.002)
    return answer


class Gate:
    """A handler that waits until the test opens it. `entered` counts the runs that have come in."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._runs = threading.Semaphore(0)

    def __call__(self, job_id: int, *args: Any, **kwargs: Any) -> Any:
        self._runs.release()
        assert self._open.wait(SECONDS), "nobody opened the gate"
        return args[0] if args else None

    def entered(self, count: int = 1) -> None:
        """Wait until so many more runs have come in."""
        for _ in range(count):
            assert self._runs.acquire(timeout=SECONDS), "no run came in"

    def open(self) -> None:
        """Let all runs go on."""
        self._open.set()


class Site:
    """Tasks made on the spot: real definition files, handlers that are known by a registered name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gates: list[Gate] = []
        self.names: list[str] = []

    def task(self, task: str, handler: Callable[..., Any], **keys: Any) -> Pool:
        """Write a definition and answer its pool. `event` maps names to callables."""
        events = {event: self.name(call) for event, call in keys.pop("event", {}).items()}
        definition = {**KEYS, "process": self.name(handler), "event": events, **keys}
        path = self.folder / f"{task.replace('.', '/')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(definition))
        boot.reset()
        return tasks[task]

    def name(self, call: Callable[..., Any]) -> str:
        """A name under which definitions find the callable."""
        name = f"t{len(handlers.registered)}"
        handlers.registered[name] = call
        self.names.append(name)
        return name

    def gate(self) -> Gate:
        """A handler that waits; opened at the test's end."""
        self.gates.append(Gate())
        return self.gates[-1]


@pytest.fixture
def site(tmp_path: Path, settings: Any) -> Iterator[Site]:
    """Tasks made on the spot, in an empty site of their own."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    settings.YAO_TASKS = {"DIRS": [folder], "STATE_DIR": tmp_path / "state"}
    site = Site(folder)
    yield site
    for gate in site.gates:
        gate.open()
    boot.reset()
    for name in site.names:
        del handlers.registered[name]


@pytest.fixture(autouse=True, scope="session")
def _collect_only_what_tests_make() -> None:
    """What was imported lives for ever: kept out of each test's collection, which then takes a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No test leaves a thread or an open file behind."""
    threads = set(threading.enumerate())
    files = _open_files()
    yield
    boot.reset()

    def left() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread not in threads and _is_ours(thread)]

    until(lambda: not left(), lambda: "threads to end:\n" + "\n".join(_with_stacks(left())))
    if not _open_files() <= files:
        # What hangs in a circle is no leak. Only now, since a collection for each test doubles the suite's time.
        gc.collect()
    assert _open_files() <= files


def _with_stacks(threads: list[threading.Thread]) -> Iterator[str]:
    frames = sys._current_frames()
    for thread in threads:
        yield f"{thread.name}\n{''.join(traceback.format_stack(frames.get(thread.ident or 0)))}"


def _is_ours(thread: threading.Thread) -> bool:
    return thread.name.startswith("yao_tasks")


def _open_files() -> set[str]:
    # Not by pathlib, which some tests have made fail.
    descriptors = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    return {target for one in descriptors if "yao_tasks" in (target := _target(f"/proc/self/fd/{one}"))}


def _target(descriptor: str) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""
