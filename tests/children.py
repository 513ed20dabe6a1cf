"""Handlers that tests run in the processes of process workers."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection, transaction
from django.utils import timezone, translation

from yao_tasks import GiveUp, Process, Retry, current_job, tasks
from yao_tasks.core.current import CurrentJob

tenant: ContextVar[Any] = ContextVar("tenant")


class Refused(Exception):
    """With an `__init__` that unpickles wrongly."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Refusal(Refused):
    """A child of that."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def job() -> CurrentJob:
    found = current_job()
    assert found is not None
    return found


def echo(job_id: int, *args: Any, **kwargs: Any) -> Any:
    return [job_id, args, kwargs]


def pid(job_id: int, *args: Any) -> int:
    return os.getpid()


def nothing(job_id: int, *args: Any) -> None:
    pass


def raises(job_id: int, what: str) -> Any:
    match what:
        case "two arguments":
            raise Refusal(1, 2)
        case "a lock":
            error = ValueError("with a lock")
            error.lock = threading.Lock()  # type: ignore[attr-defined]
            raise error
        case "unprintable":
            raise Unprintable
        case "SystemExit":
            sys.exit(3)
        case "KeyboardInterrupt":
            raise KeyboardInterrupt
        case "GeneratorExit":
            raise GeneratorExit
        case "recursion":
            return raises(job_id, what)
        case "memory":
            raise MemoryError
        case "surrogate":
            raise ValueError("a\x00b\ud800" + "\x00" * 100_000)
        case "give up":
            raise GiveUp("row 17: bad date")
        case "retry":
            if job().attempt == 1:
                raise Retry(after=0.01)
            return "again"


def returns(job_id: int, what: str) -> Any:
    results = {
        "a set": lambda: {1},
        "an object": object,
        "a lock": threading.Lock,
        "nan": lambda: float("nan"),
        "endless digits": lambda: 10**5000,
        "2 MiB": lambda: "x" * 2**21,
        "in a circle": _circle,
        "a date": lambda: [timezone.now(), {"a": (1, 2.5)}],
        "1 MiB less": lambda: "x" * (2**20 - 2),
        "surrogate": lambda: "a\ud800b\x00",
    }
    return results[what]()


def _circle() -> Any:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def ends_its_process(job_id: int, how: str) -> None:
    match how:
        case "exit 3":
            os._exit(3)
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "SIGSEGV":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "closed files":
            os.closerange(3, 4096)
        case "closed files, standard ones too":
            os.closerange(0, 4096)


def dies_the_first_time(job_id: int) -> int:
    if job().attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job().attempt


def prints_a_frame(job_id: int) -> str:
    frame = b'\x00\x00\x00\x0c["ok","lie"]'
    os.write(1, frame)
    sys.stdout.write('["ok","lie"]\n')
    sys.stdout.flush()
    subprocess.run(["echo", '["ok","lie"]'], check=True)
    return "truth"


def forks(job_id: int, comes_back: bool) -> str:
    child = os.fork()
    if not child and not comes_back:
        time.sleep(60)
    return "parent" if child else "child"


def forks_and_dies(job_id: int) -> None:
    if not os.fork():
        time.sleep(5)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def spins(job_id: int, path: str = "") -> None:
    if path:
        with open(path, "a") as file:
            file.write(f"{os.getpid()}\n")
    while True:
        pass


def sleeps(job_id: int, seconds: float = 60, path: str = "") -> int:
    if path:
        with open(path, "a") as file:
            file.write(f"{job_id} {job().attempt} {os.getpid()}\n")
    time.sleep(seconds)
    return os.getpid()


def asks_for_the_run_before(job_id: int, path: str = "") -> list[int]:
    """The pids of the runs before that are alive; the first run sleeps."""
    if not path:
        time.sleep(0.2)
        return []
    before = []
    if os.path.exists(path):
        with open(path) as file:
            before = [int(line.split()[2]) for line in file]
    if not before:
        sleeps(job_id, 60, path)
    return [pid for pid in before if _is_alive(pid)]


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ignores_sigterm(job_id: int, path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleeps(job_id, 60, path)


def puts_away_at_sigterm(job_id: int, path: str) -> None:
    def put_away(*_: Any) -> None:
        with open(path, "a") as file:
            file.write("put away\n")
        os._exit(0)

    signal.signal(signal.SIGTERM, put_away)
    sleeps(job_id, 60, path)


def regex(job_id: int) -> None:
    import re

    re.match(r"(a+)+$", "a" * 40 + "b")


def reports(job_id: int, how: str) -> Any:
    match how:
        case "progress":
            job().progress(3, 10, "rendering")
        case "Progress":
            from yao_tasks import Progress

            Progress("tasks.job.process", job_id, 3, 10, "rendering")
        case "pool":
            tasks["job"].progress(job_id, 3, 10, "rendering")
        case "track":
            return sum(job().track([1, 2, 3], message="importing"))
        case "nonsense":
            job().progress("three")  # type: ignore[arg-type]
    return None


def tells_itself(job_id: int) -> Any:
    here = job()
    deadline = here.deadline
    assert deadline is not None
    return [here.id, here.task, here.attempt, deadline, here.cancelled, here.stopping]


def waits_for_stopping(job_id: int) -> str:
    job().progress(1)
    while not job().stopping:
        time.sleep(0.01)
    return "stopped"


def logs(job_id: int) -> None:
    logging.getLogger("shop.orders").warning("order %s of %s", 7, {"a": object})
    try:
        raise ValueError("in the child")
    except ValueError:
        logging.getLogger("shop").exception("it failed")
    logging.getLogger("shop").debug("below the level")


def logs_and_waits(job_id: int) -> str:
    logs(job_id)
    return waits_for_stopping(job_id)


def surroundings(job_id: int) -> Any:
    return [translation.get_language(), timezone.get_current_timezone_name(), tenant.get("none")]


@contextmanager
def around(job: CurrentJob) -> Any:
    translation.activate("de")
    job.progress(job.attempt, 2, "around")
    yield
    job.progress(2, 2, "after")


def of_the_process(job_id: int) -> Any:
    """What a child must have, and must not."""
    import stat

    sockets = []
    for one in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(one)).st_mode):
                sockets.append(int(one))
        except OSError:
            pass
    return {
        "sockets": len(sockets),
        "stdin": os.readlink("/proc/self/fd/0"),
        "session": os.getsid(0) == os.getpid(),
        "nice": [os.nice(0), _niceness_of_session()],
        "slice": _slice(),
        "path": sys.path,
        "settings": os.environ["DJANGO_SETTINGS_MODULE"],
        "environment": os.environ.get("YAO_TESTS_MARK"),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "files": [
            os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd") if _is_there(one)
        ],
    }


def _niceness_of_session() -> int | None:
    """Set by another thread, as soon as the kernel takes it."""
    niceness, until = None, time.monotonic() + 10
    while not niceness and time.monotonic() < until:
        try:
            with open("/proc/self/autogroup") as file:
                niceness = int(file.read().split()[-1])
        except FileNotFoundError:
            return None
    return niceness


def _slice() -> int:
    """Nanoseconds; 0 where the kernel doesn't tell."""
    try:
        with open("/proc/self/sched") as file:
            return next((int(line.split()[-1]) for line in file if line.startswith("se.slice")), 0)
    except FileNotFoundError:
        return 0


def _is_there(descriptor: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{descriptor}")


# Pools, from inside


def asks(job_id: int, what: str, *args: Any) -> Any:
    other = tasks["other"]
    match what:
        case "add and wait":
            return other.wait(other.add("ada", name="Ada"), 10).response
        case "add_many":
            return [other.wait(one, 10).response[1] for one in other.add_many([("a",), ("b",)])]
        case "get":
            return other.get(other.using(run_after=60).add("x")).as_dict()
        case "cancel":
            return other.cancel(other.using(run_after=60).add("x"))
        case "progress":
            later = other.using(run_after=60).add("x")
            other.progress(later, 1, 2, "from afar")
            return other.get(later).message
        case "Process":
            return Process("tasks.other.add", "x")
        case "from a thread":
            found: list[Any] = []
            threads = [
                threading.Thread(target=lambda: found.append(other.wait(other.add("x"), 10).response[1]))
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return found
        case "errors":
            return [
                _error(call)
                for call in (
                    lambda: other.get(1),
                    lambda: other.add(object()),
                    lambda: tasks["nope"],
                    lambda: other.wait(other.using(run_after=60).add("x"), 0.05),
                    lambda: other.pause(),
                    lambda: other.metrics(),
                    lambda: other.jobs,
                    lambda: other.close(),
                )
            ]
        case "full":
            return [_error(lambda: other.add("x")) for _ in range(5)]
    return None


def _error(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return [type(error).__name__, str(error), isinstance(error, LookupError)]


def adds_in_a_transaction(job_id: int, how: str) -> Any:
    other = tasks["other"]
    match how:
        case "commit":
            with transaction.atomic():
                added = other.add("x")
                many = other.add_many([("y",), ("z",)])
                inside = other.get(added).status
            return [added, *many, inside]
        case "twice":
            with transaction.atomic():
                return [other.add("x"), other.add("x")]
        case "rollback":
            try:
                with transaction.atomic():
                    added = other.add("x")
                    raise ValueError
            except ValueError:
                return added
        case "die":
            with transaction.atomic():
                added = other.add("x")
                job().progress(added)
                os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            with transaction.atomic():
                return _error(lambda: other.wait(other.add("x"), 5))
        case "left open":
            transaction.set_autocommit(False)
            connection.cursor().execute("SELECT 1")
            with transaction.atomic():
                return other.add("x")
        case "at once":
            with transaction.atomic():
                return other.wait(other.using(on_commit=False).add("x"), 10).response[1]
    return None


def poison_or_not(job_id: int, what: str, path: str, seconds: float = 0.0) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{job_id} {job().attempt}\n".encode())
    os.close(descriptor)
    if what == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(seconds)


def writes_to_its_channel(job_id: int, what: str = "nonsense") -> None:
    from yao_tasks.core.children import link

    if what == "nonsense":
        assert link.here is not None
        link.here.channel.send_bytes(b"\x00\x00\x00\x05hello")
        time.sleep(60)
