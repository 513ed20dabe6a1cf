"""Handlers of tests for process workers: a closure of the test runs in the test's process, called from the child.

The child's handler is `tests.conformance.bridge.<name>`: it connects to a socket of the test's process, which runs the
closure known by that name, in a thread, with a `current_job()` that stands for the child's: what it reports and asks
goes over the bridge to the child's real one. The answer, or the exception, goes back and is the handler's own. Where
the child is killed the bridge breaks, and nobody hears of the closure any more.
"""

import atexit
import contextvars
import importlib
import os
import pickle
import shutil
import tempfile
import threading
from functools import partial
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from django.db import connections

from yao_tasks import current_job, handlers
from yao_tasks.core import current
from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.jobs import FAILED, RUNNING, JobError

VARIABLE = "YAO_TESTS_BRIDGE"


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return handlers.registered[name] if name in handlers.registered else partial(call, name)


def _put(bridge: Connection, value: Any) -> None:
    bridge.send_bytes(pickle.dumps(value))


def _take(bridge: Connection) -> Any:
    # Not by its own `recv`: on 3.13 that lets go of a buffer too soon, where threads switch often.
    return pickle.loads(bridge.recv_bytes())


# In the child


def call(name: str, job_id: int, /, *args: Any, **kwargs: Any) -> Any:
    """Have the test's process run the closure, and be there for it meanwhile."""
    job = current_job()
    assert job is not None
    facts = {
        "id": job.id,
        "task": job.task,
        "attempt": job.attempt,
        "added": job._job.added,
        "added_at": job._job.added_at,
        "started": job._job.started,
        "timeout": job._reporter.timeout,
    }
    with Client(os.environ[VARIABLE], "AF_UNIX") as bridge:
        _put(bridge, (name, facts, job_id, args, kwargs))
        while True:
            match _take(bridge):
                case "progress", values:
                    _put(bridge, _tried(job.progress, *values))
                case "stopping", _:
                    _put(bridge, job.stopping)
                case "return", value:
                    return value
                case "raise", described:
                    raise _rebuilt(described)


def _tried(function: Any, *values: Any) -> Exception | None:
    try:
        function(*values)
    except Exception as error:
        return error
    return None


def _rebuilt(described: Any) -> BaseException:
    if isinstance(described, BaseException):
        return described
    (module, name), bases, args, text = described
    cls = _class(module, name)
    if cls is None:
        base = next(found for one in bases if (found := _class(*one)) is not None)
        cls = type(name.rpartition(".")[2], (base,), {"__module__": module, "__qualname__": name})
    exception: BaseException = cls.__new__(cls)
    exception.args = args if args is not None else (text,)
    return exception


def _class(module: str, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for one in name.split("."):
        found = getattr(found, one, None)
    return found


# In the test's process


class FarJob:
    """The job as its closure sees it."""

    terms = None

    def __init__(self, facts: dict[str, Any], bridge: Connection) -> None:
        self.__dict__.update(facts)
        self.bridge = bridge

    @property
    def status(self) -> int:
        try:
            # Nothing comes unasked but the end.
            return FAILED if self.bridge.poll() else RUNNING
        except OSError:
            return FAILED

    @property
    def error(self) -> JobError:
        return JobError(kind="cancelled", type="", message="", traceback="")


class FarReporter:
    """The way of a closure's reports: over the bridge, to the child's own `current_job()`."""

    def __init__(self, facts: dict[str, Any], bridge: Connection) -> None:
        self.task = facts["task"]
        self.timeout = facts["timeout"]
        self.bridge = bridge
        self.life = self
        self.lock = threading.Lock()

    @property
    def closing(self) -> bool:
        return bool(self._ask("stopping"))

    def report(self, job: FarJob, attempt: int, *values: Any) -> None:
        try:
            error = self._ask("progress", *values)
        except (OSError, EOFError) as gone:
            raise JobNotFound(f"Job {job.id} has ended.") from gone  # type: ignore[attr-defined]
        if error is not None:
            raise error

    def _ask(self, *question: Any) -> Any:
        with self.lock:
            _put(self.bridge, (question[0], question[1:]))
            return _take(self.bridge)


class Server:
    """The far end of all bridges. One for the session: children keep its address."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="bridge-")
        os.environ[VARIABLE] = f"{folder}/socket"
        self.listener = Listener(os.environ[VARIABLE], "AF_UNIX", backlog=200)
        threading.Thread(target=self._accept, name="tests-bridge", daemon=True).start()
        atexit.register(self._close, folder)

    def _close(self, folder: str) -> None:
        self.listener.close()
        shutil.rmtree(folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                bridge = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(bridge,), name="tests-bridged", daemon=True).start()

    def _serve(self, bridge: Connection) -> None:
        with bridge:
            try:
                name, facts, job_id, args, kwargs = _take(bridge)
            except (EOFError, OSError):
                return
            context = contextvars.Context()
            marker = (FarJob(facts, bridge), facts["attempt"], FarReporter(facts, bridge))
            context.run(current._current.set, marker)  # type: ignore[arg-type]
            try:
                answer = ("return", context.run(handlers.registered[name], job_id, *args, **kwargs))
            except BaseException as error:
                answer = ("raise", _described(error))
            # A worker's own thread would do that.
            context.run(connections.close_all)
            try:
                _put(bridge, answer)
            except OSError:
                pass
            except Exception as error:
                _put(bridge, ("raise", TypeError(f"not picklable: {error}")))


def _described(error: BaseException) -> Any:
    try:
        again = pickle.loads(pickle.dumps(error))
        if type(again) is type(error):
            return error
    except Exception:
        pass
    try:
        args = pickle.loads(pickle.dumps(error.args))
    except Exception:
        args = None
    try:
        text = str(error)
    except Exception:
        text = "?"
    bases = [(one.__module__, one.__qualname__) for one in type(error).__mro__[1:]]
    return (type(error).__module__, type(error).__qualname__), bases, args, text
