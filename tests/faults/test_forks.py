"""After a fork everything is new in the child, whatever the parent's threads were about."""

import ctypes
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.conftest import SECONDS, Site, until
from yao_tasks import boot
from yao_tasks.core.ids import Ids
from yao_tasks.errors import JobElsewhere, JobNotFound, PoolClosed
from yao_tasks.pools import Pool

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def forked(fork: Callable[[], int], call: Callable[[], bool]) -> int:
    """Fork, call in the child, and answer its exit code: 0 where the call is true, -9 where it hung."""
    with warnings.catch_warnings():
        # A fork while threads run is what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = fork()
    if pid == 0:
        code = 2
        try:
            code = 0 if call() else 1
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        finally:
            os._exit(code)
    return exit_code(pid)


def exit_code(pid: int) -> int:
    """A child's exit code; -9 where it hung."""
    deadline = time.monotonic() + SECONDS
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > deadline:
            os.kill(pid, 9)
            break
        time.sleep(0.001)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def works(pool: Pool) -> bool:
    """Whether a job runs here, or is refused at once."""
    try:
        job_id = pool.add("in the child")
    except PoolClosed:
        return True
    return pool.wait(job_id, 2).status == "SUCCESS"


@pytest.mark.slow
@pytest.mark.parametrize("times", [20, 200])
def test_a_child_works_although_it_was_forked_while_threads_used_the_pool(site: Site, times: int) -> None:
    """F18."""
    pool = site.task("job", lambda job_id, *args: None, worker_nums=2, size=10_000)
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            pool.wait(pool.add(), SECONDS)
            pool.cancel(pool.add())
            pool.metrics()

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    try:
        codes = [forked(os.fork, lambda: works(pool)) for _ in range(times)]
    finally:
        stop.set()
        for user in users:
            user.join(SECONDS)

    assert codes == [0] * times
    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"


@pytest.mark.slow
def test_a_child_of_a_server_that_forks_without_pythons_hooks_works(site: Site) -> None:
    """F18: as some servers written in C do."""
    pool = site.task("job", lambda job_id, *args: None)
    pool.wait(pool.add(), SECONDS)
    # Such a server forks while its threads are idle: without hooks Python's own locks are not made anew.
    until(lambda: not boot.house().starvation._wanted.is_set(), "the watch over the GIL to sleep")
    time.sleep(0.1)

    assert forked(ctypes.PyDLL(None).fork, lambda: works(pool)) == 0


@pytest.mark.parametrize("ask", ["get", "wait", "cancel", "progress", "jobs", "metrics", "close"])
def test_the_first_call_in_a_child_finds_a_fresh_pool_whatever_it_is(site: Site, ask: str) -> None:
    """F19."""
    gate = site.gate()
    pool = site.task("job", gate, worker_nums=1)
    ids = [pool.add() for _ in range(3)]
    gate.entered()

    def raises_not_found(call: Callable[[int], object]) -> bool:
        try:
            call(ids[0])
        except JobNotFound:
            return True
        return False

    in_child: dict[str, Callable[[], bool]] = {
        "get": lambda: raises_not_found(pool.get),
        "wait": lambda: raises_not_found(lambda job_id: pool.wait(job_id, 1)),
        "progress": lambda: raises_not_found(lambda job_id: pool.progress(job_id, 1, 2)),
        "cancel": lambda: pool.cancel(ids[0]) is False,
        "jobs": lambda: dict(pool.jobs) == {},
        "metrics": lambda: pool.metrics()["added"] == 0,
        "close": lambda: pool.close(0) == [],
    }
    assert forked(os.fork, in_child[ask]) == 0

    assert list(pool.jobs) == ids
    assert pool.get(ids[0]).status == "RUNNING"
    gate.open()
    assert pool.close() == []


def look(pool: Pool, job_id: int, answer: Connection) -> None:
    metrics = pool.metrics()
    try:
        pool.get(job_id)
        found = "found"
    except JobNotFound as error:
        found = type(error).__name__
    answer.send((found, metrics["added"], metrics["waiting"], pool.wait(pool.add(), 2).status))


def test_a_multiprocessing_child_finds_a_fresh_pool_and_leaves_the_parents_alone(site: Site) -> None:
    """F19."""
    gate = site.gate()
    first = threading.Event()

    def handler(job_id: int) -> None:
        if not first.is_set():
            first.set()
            gate(job_id)

    pool = site.task("job", handler, worker_nums=1)
    ids = [pool.add() for _ in range(3)]
    gate.entered()
    before = pool.metrics()
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=look, args=(pool, ids[1], there))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()

    assert here.poll(SECONDS)
    found, added, waiting, status = here.recv()
    child.join(SECONDS)
    here.close(), there.close()
    assert (found, added, waiting, status) == ("JobElsewhere", 0, 0, "SUCCESS")
    assert child.exitcode == 0
    after = pool.metrics()
    assert {key: after[key] for key in after if key != "oldest_waiting"} == {
        key: before[key] for key in before if key != "oldest_waiting"
    }
    assert list(pool.jobs) == ids


def test_a_childs_ids_are_never_those_of_its_parent(site: Site) -> None:
    pool = site.task("job", lambda job_id: None, size=1_000)
    ids = {pool.add() for _ in range(50)}

    assert forked(os.fork, lambda: not ids & {pool.add() for _ in range(50)}) == 0
    assert not ids & {pool.add() for _ in range(50)}


def test_a_child_forked_while_its_parent_takes_ids_is_not_locked_out(tmp_path: Path) -> None:
    """F18: it has the locked file open, too."""
    children: list[int] = []

    def fork_now() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            os._exit(0 if Ids(tmp_path / "state").next() else 1)
        children.append(pid)
        return time.time()

    Ids(tmp_path / "state", wall=fork_now).next()

    assert exit_code(children[0]) == 0


def test_an_id_of_another_process_is_named_with_the_cure_and_warned_of_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    pool = site.task("job", lambda job_id: None)
    ids = boot.house().home.ids
    script = (
        "import sys; from pathlib import Path; from yao_tasks.core.ids import Ids; "
        "print(Ids(Path(sys.argv[1])).next(), flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(ids.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert other.stdin is not None
    assert other.stdout is not None
    job_id = int(other.stdout.readline())

    for _ in range(3):
        with pytest.raises(JobElsewhere) as error:
            pool.get(job_id)
    other.stdin.close()
    other.wait(SECONDS)
    other.stdout.close()

    assert f"in the memory of process {other.pid}" in str(error.value)
    assert '"record": true' in str(error.value)
    assert [record.getMessage() for record in caplog.records] == [str(error.value)]
