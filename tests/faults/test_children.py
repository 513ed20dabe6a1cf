"""Process workers at their worst: they are killed, they don't start, they don't want to end, their parent dies."""

import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.conftest import SECONDS, Site, until
from tests.faults.conftest import Project
from yao_tasks import boot, offspring
from yao_tasks.core.children.budget import Budget
from yao_tasks.core.children.spawner import python
from yao_tasks.engines.desk import PoolDesk
from yao_tasks.pools import Pool, tasks

Make = Callable[..., Pool]

pytestmark = pytest.mark.slow


@pytest.fixture
def child_task(site: Site) -> Make:
    """Make a task whose handler is `tests.children.<name>`, run by process workers."""

    def make(name: str, task: str = "job", **keys: Any) -> Pool:
        handler = getattr(children, name)
        return site.task(
            task, handler, **{"process": f"tests.children.{name}", "worker_type": "process", **keys}
        )

    return make


def spawner(pool: Pool) -> Any:
    engine: Any = boot.engine(pool.id)
    return engine.home.children.spawner


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


# Deaths


def test_a_poison_job_costs_nobody_else_anything(child_task: Make, tmp_path: Path) -> None:
    """F8."""
    child_task("ends_its_process", "poison", attempts=1, attempt_after=0)
    pool = child_task("sleeps", "good", worker_nums=2)
    both = child_task("poison_or_not", worker_nums=2, attempts=1, attempt_after=0, size=200)
    path = tmp_path / "ledger"

    good = both.add_many([("good", str(path)) for _ in range(50)])
    poison = both.add("poison", str(path))
    more = both.add_many([("good", str(path)) for _ in range(50)])
    infos = list(both.as_completed([*good, poison, *more], 30))

    runs = Counter(int(job) for job, _ in lines(path))
    ends = {info.id: info for info in infos}
    assert (ends[poison].status, ends[poison].attempt, runs[poison]) == ("FAILURE", 2, 2)
    assert ends[poison].error is not None
    assert ends[poison].error.kind == "lost"
    assert [ends[one].status for one in [*good, *more]] == ["SUCCESS"] * 100
    assert [runs[one] for one in [*good, *more]] == [1] * 100
    assert pool.metrics()["added"] == 0


@pytest.mark.slow
def test_under_random_kills_each_job_ends_once(
    child_task: Make, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "free_at", lambda self, now: now)
    seed = random.randrange(2**32)
    print(f"seed: {seed}")
    chance = random.Random(seed)
    told: list[tuple[str, int]] = []
    pool = child_task(
        "poison_or_not",
        worker_nums=4,
        attempts=3,
        attempt_after=0,
        size=5_000,
        event={
            "success": lambda job_id, _: told.append(("success", job_id)),
            "error": lambda job_id, _: told.append(("error", job_id)),
        },
    )
    stop = threading.Event()

    def kill() -> None:
        due = 0
        while not stop.wait(0.002):
            # By what has been done, not by time: a busy machine may take longer to start one than to the next kill.
            if len(told) < due:
                continue
            workers = [child for child in list(spawner(pool).children.values()) if not child.is_killed]
            # By its pidfd: none that has ended meanwhile, and none that isn't ours.
            if workers and not (child := chance.choice(workers)).is_dead():
                child._signal(signal.SIGKILL)
                due = len(told) + chance.randrange(100)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        ids = pool.add_many([("good", str(tmp_path / "ledger"), 0.002) for _ in range(3_000)])
        infos = list(pool.as_completed(ids, 60))
    finally:
        stop.set()
        killer.join()

    assert sorted(info.id for info in infos) == ids
    until(lambda: len(told) == 3_000, "the last events")
    assert sorted(job_id for _, job_id in told) == ids
    assert all(info.error is None or info.error.kind == "lost" for info in infos)
    runs = Counter(int(job) for job, _ in lines(tmp_path / "ledger"))
    assert all(runs[info.id] <= info.attempt for info in infos)
    assert sum(info.attempt > 1 for info in infos) > 0, "none was hit"
    assert pool.metrics()["stuck"] == 0


# Starts


def test_a_child_that_can_not_start_is_told_once_and_its_jobs_wait(
    child_task: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[float] = []
    broken = True

    def environ() -> dict[str, str]:
        tries.append(time.monotonic())
        return {**boot_environ(), **({"DJANGO_SETTINGS_MODULE": "tests.no_such_settings"} if broken else {})}

    boot_environ = offspring.child_environ
    monkeypatch.setattr(offspring, "child_environ", environ)
    # A second, in the place of which the test waits a tenth.
    monkeypatch.setattr("yao_tasks.core.children.budget.SPARE", 1)
    pool = child_task("pid", worker_nums=1)

    job_id = pool.add()
    until(lambda: len(tries) == 2, "it to be tried twice")
    time.sleep(0.6)

    assert len(tries) == 2
    assert pool.get(job_id).status == "WAITING"
    assert "No module named 'tests.no_such_settings'" in pool.metrics()["trouble"]
    errors = [one for one in caplog.records if one.levelname == "ERROR"]
    assert len(errors) == 1
    assert "job: no process could be started for its jobs" in errors[0].getMessage()
    broken = False
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"
    assert pool.metrics()["trouble"] == ""


def test_a_handler_module_that_ends_its_process_does_not_spin(
    child_task: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("yao_tasks.core.children.budget.SPARE", 1)
    (tmp_path / "crashes_in_a_child.py").write_text(
        "import os, sys\nif 'yao_tasks.child.main' in sys.modules: os._exit(7)\ndef handler(job_id): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    pool = child_task("pid", worker_nums=1, process="crashes_in_a_child.handler")

    job_id = pool.add()

    until(lambda: "exited with status 7" in pool.metrics()["trouble"], "it to be told")
    assert pool.get(job_id).status == "WAITING"
    assert pool.close(0) == [job_id]


def test_a_handler_that_the_child_can_not_import_fails_its_job_and_the_pool_goes_on(
    child_task: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "not_in_a_child.py").write_text(
        "import sys, os\n"
        "if 'yao_tasks.child.main' in sys.modules and not os.path.exists(__file__ + '.mended'):\n"
        "    raise ValueError('only in the parent')\n"
        "def handler(job_id): return 'done'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    pool = child_task("pid", worker_nums=1, process="not_in_a_child.handler")

    info = pool.wait(pool.add(), SECONDS)

    assert info.error is not None
    assert info.error.kind == "raised"
    assert "only in the parent" in info.error.message
    (tmp_path / "not_in_a_child.py.mended").touch()
    assert pool.wait(pool.add(), SECONDS).response == "done"


def test_no_child_starts_while_a_pool_without_work_waits(
    child_task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    def environ() -> dict[str, str]:
        tries.append(time.monotonic())
        return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.no_such_settings"}

    monkeypatch.setattr(offspring, "child_environ", environ)
    pool = child_task("pid", worker_nums=1)
    job_id = pool.add()
    until(lambda: pool.metrics()["trouble"], "it to fail")

    pool.cancel(job_id)
    time.sleep(0.1)
    before = len(tries)
    time.sleep(0.5)

    assert len(tries) - before <= 1


# The end of a pool, and of its process


def test_an_idle_child_ends_with_its_pool(child_task: Make) -> None:
    pool = child_task("pid", worker_nums=1)
    pid = pool.wait(pool.add(), SECONDS).response

    pool.close(5)

    until(lambda: is_gone(pid), "it to end")
    until(lambda: not spawner(pool).children, "it to be reaped")


def test_a_busy_one_is_asked_before_it_is_killed(child_task: Make, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    pool = child_task("puts_away_at_sigterm")
    job_id = pool.add(str(path))
    until(lambda: lines(path), "it to run")

    assert pool.close(0.1) == [job_id]

    until(lambda: ["put", "away"] in lines(path), "it to put away")
    info = pool.get(job_id)
    assert info.error is not None
    assert info.error.kind == "lost"


def test_one_that_does_not_want_to_end_is_killed_and_the_close_stays_within_its_time(
    child_task: Make, tmp_path: Path
) -> None:
    path = tmp_path / "ledger"
    pool = child_task("ignores_sigterm")
    pool.add(str(path))
    until(lambda: lines(path), "it to run")
    pid = int(lines(path)[0][2])
    began = time.monotonic()

    boot.close.__globals__["house"]().close(0.2)

    assert time.monotonic() - began < 2
    assert is_gone(pid)


def test_a_stopped_process_is_killed_like_any_other(child_task: Make, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    pool = child_task("sleeps", worker_nums=1)
    job_id = pool.add(60, str(path))
    until(lambda: lines(path), "it to run")
    pid = int(lines(path)[0][2])
    os.kill(pid, signal.SIGSTOP)

    pool.cancel(job_id)

    until(lambda: is_gone(pid), "it to end", seconds=1)
    assert pool.wait(pool.add(0), SECONDS).status == "SUCCESS"


PARENT = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from yao_tasks import tasks
for _ in range(int(sys.argv[1])):
    tasks["busy"].add()
tasks["idle"].wait(tasks["idle"].add(), 30)
print("ready", flush=True)
{then}
"""

HANDLERS = """
import os
import re
import jobs

def busy(job_id):
    jobs.note("pid", os.getpid())
    # It holds the GIL for longer than anybody waits: no thread of its own can end it.
    re.match(r"(a+)+$", "a" * 60 + "b")

def idle(job_id):
    jobs.note("pid", os.getpid())

def leaves_a_child(job_id):
    import subprocess
    child = subprocess.Popen(["sleep", "30"], start_new_session=True)
    jobs.note("pid", os.getpid())
    while True:
        pass
"""


def pids(project: Project) -> list[int]:
    return [int(words[1]) for words in project.ledger() if words[0] == "pid"]


@pytest.fixture
def parents(project: Project) -> Callable[..., "subprocess.Popen[str]"]:
    """Start parents with so many busy children and an idle one, and answer them when all are there."""
    (project.folder / "handlers.py").write_text(HANDLERS)
    keys = {"worker_type": "process", "timeout": 100}
    project.task("busy", "handlers.busy", worker_nums=4, **keys)
    project.task("idle", "handlers.idle", **keys)

    def start(count: int, then: str) -> "subprocess.Popen[str]":
        (project.folder / "parent.py").write_text(PARENT.format(then=then))
        (project.folder / "ledger").unlink(missing_ok=True)
        return project.start(str(count), python=sys.executable)

    # `start` runs manage.py: here the parent itself.
    (project.folder / "manage.py").write_text(
        "import runpy; runpy.run_path('parent.py', run_name='__main__')"
    )
    return start


def when_ready(project: Project, parent: "subprocess.Popen[str]", count: int) -> list[int]:
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n", parent.stderr and parent.stderr.read()
    until(lambda: len(pids(project)) == count, "all to run", seconds=30)
    return pids(project)


@pytest.mark.parametrize("times", [2, pytest.param(50, marks=pytest.mark.soak)])
def test_no_child_outlives_a_parent_that_is_killed(project: Project, parents: Any, times: int) -> None:
    for _ in range(times):
        parent = parents(2, "import time; time.sleep(60)")
        found = when_ready(project, parent, 3)

        parent.kill()
        parent.communicate()

        until(lambda found=found: all(map(is_gone, found)), "the children to end", seconds=2)


@pytest.mark.parametrize(
    ("then", "code"), [("os._exit(5)", 5), ("os.kill(os.getpid(), 11)", -11), ("boot.serve()", 0)]
)
def test_none_outlives_one_that_ends_in_another_way(
    project: Project, parents: Any, then: str, code: int
) -> None:
    if code == 0:
        running = "import time, jobs\nwhile len(open(jobs.LEDGER).readlines()) < 2: time.sleep(0.01)"
        then = f"{running}\nfrom yao_tasks import boot\n{then}\ntasks['busy'].close(0)"
    parent = parents(1, then)
    found = when_ready(project, parent, 2) if code == 0 else []

    _, error = parent.communicate(timeout=30)

    found = found or pids(project)
    assert parent.returncode == code, error
    until(lambda: all(map(is_gone, found)), "the children to end", seconds=2)
    assert "Traceback" not in error


GUARDED = """
import os, socket, sys, time
from yao_tasks.child import guard
guard.LEAVING_SECONDS = 0.1
ours, theirs = socket.socketpair()
guard.end_with({parent}, ours)
{then}
time.sleep(30)
"""


@pytest.mark.parametrize(
    ("parent", "then"),
    [
        pytest.param("1", "", id="before it could ask"),
        pytest.param("os.getppid()", "theirs.close()", id="later"),
    ],
)
def test_a_child_whose_parent_has_gone_ends_by_itself(parent: str, then: str) -> None:
    program = GUARDED.format(parent=parent, then=then)

    assert subprocess.run([sys.executable, "-c", program], timeout=SECONDS, check=False).returncode == 74


def test_a_fork_of_the_parent_has_children_of_its_own(child_task: Make) -> None:
    pool = child_task("pid", worker_nums=1)
    mine = pool.wait(pool.add(), SECONDS).response
    read, write = os.pipe()

    with warnings.catch_warnings():
        # Python 3.12 and later warn of threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        code = 1
        try:
            theirs = tasks["job"].wait(tasks["job"].add(), SECONDS).response
            os.write(write, str(theirs).encode())
            boot.reset()
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with open(read) as file:
        theirs = int(file.read())
    assert os.waitpid(child, 0)[1] == 0

    assert theirs != mine
    assert pool.wait(pool.add(), SECONDS).response == mine
    until(lambda: is_gone(theirs), "the fork's child to end")


def test_no_pidfd_and_no_socket_is_left_behind(child_task: Make) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        pool = child_task("ends_its_process", worker_nums=2, attempts=1, attempt_after=0)
        for how in ("exit 3", "nothing", "SIGKILL"):
            pool.wait(pool.add(how), SECONDS)
        boot.reset()

    assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert select.select([], [], [], 0) == ([], [], [])


def test_the_interpreter_is_pythons_own_even_where_a_server_embeds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert python() == sys.executable

    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")

    assert subprocess.run([python(), "-c", "print(1)"], capture_output=True, check=True).stdout == b"1\n"


def test_a_child_that_talks_nonsense_is_killed_and_its_job_lost(
    child_task: Make, caplog: pytest.LogCaptureFixture
) -> None:
    pool = child_task("writes_to_its_channel", worker_nums=1)

    info = pool.wait(pool.add(), SECONDS)

    assert info.error is not None
    assert info.error.kind == "lost"
    assert "makes no sense" in info.error.message
    assert pool.wait(pool.add("nothing"), SECONDS).status == "SUCCESS"


def test_a_child_whose_run_its_worker_could_not_follow_takes_no_other_in_the_middle_of_it(
    child_task: Make, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("a fault of our own")

    site.task("other", lambda job_id, *args: None)
    pool = child_task("asks", worker_nums=1)
    with monkeypatch.context() as broken:
        broken.setattr(PoolDesk, "take", fail)
        info = pool.wait(pool.add("cancel"), SECONDS)

    assert info.error is not None
    assert info.error.message == "a fault of our own"
    assert pool.wait(pool.add("cancel"), SECONDS).response is True


SITE = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.http import HttpResponse
from django.urls import path
import urls
from yao_tasks import tasks

def add(request, task, count):
    return HttpResponse(" ".join(str(tasks[task].add()) for _ in range(count)))

def show(request, task, job):
    info = tasks[task].get(job)
    return HttpResponse(f"{info.status} {info.error and info.error.kind}")

urls.urlpatterns += [
    path("", lambda request: HttpResponse("hello")),
    path("add/<task>/<int:count>", add),
    path("show/<task>/<int:job>", show),
]

class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass

server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
server.set_app(WSGIHandler())
print(server.server_port, flush=True)
server.serve_forever()
"""


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as answer:
        return str(answer.read().decode())


def percentile(port: int, count: int = 300) -> float:
    """In how many seconds 95 of 100 requests are answered."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        assert get(port, "") == "hello"
        times.append(time.perf_counter() - began)
        time.sleep(0.002)
    return sorted(times)[int(count * 0.95)]


@pytest.fixture
def site_port(project: Project) -> int:
    """A site of its own process, whose jobs are `busy` (a loop) and `regex` (C code), in processes."""
    (project.folder / "handlers.py").write_text(HANDLERS + REGEX)
    project.task("busy", "handlers.busy", worker_nums=10, worker_type="process", timeout=120)
    project.task("regex", "handlers.regex", worker_nums=2, worker_type="process", timeout=2)
    (project.folder / "manage.py").write_text(SITE)
    server = project.start()
    assert server.stdout is not None
    return int(server.stdout.readline())


REGEX = """
def regex(job_id):
    import re
    jobs.note("pid", os.getpid())
    re.match(r"(a+)+$", "a" * 60 + "b")
"""


@pytest.mark.slow
def test_a_page_stays_quick_while_ten_jobs_compute(project: Project, site_port: int) -> None:
    """L7, on processes: p95 at most 3 times idle and 5 ms."""
    idle = percentile(site_port)
    get(site_port, "add/busy/10")
    until(lambda: len(pids(project)) == 10, "all to run", seconds=60)

    busy: list[float] = []
    # What else the machine does comes and goes: the jobs stay.
    while len(busy) < 3 and (not busy or busy[-1] > 3 * idle + 0.005):
        busy.append(percentile(site_port))

    told = ", ".join(f"{one * 1000:.1f}" for one in busy)
    print(f"p95 idle {idle * 1000:.1f} ms, with 10 jobs that compute {told} ms")
    assert min(busy) <= 3 * idle + 0.005


@pytest.mark.slow
def test_a_regex_that_would_take_for_ever_is_killed_and_no_page_waits_for_it(
    project: Project, site_port: int
) -> None:
    """F20, on processes."""
    idle = percentile(site_port, 100)
    job_id = int(get(site_port, "add/regex/1"))
    until(lambda: pids(project), "it to run")
    began = time.monotonic()

    busy = percentile(site_port, 100)
    until(lambda: get(site_port, f"show/regex/{job_id}") == "FAILURE timeout", "its end")

    assert time.monotonic() - began < 2.5
    until(lambda: is_gone(pids(project)[0]), "its process to end", seconds=0.5)
    assert busy <= 3 * idle + 0.005
