"""The end of a command that has added memory jobs: it waits for them, and Ctrl-C leaves them by name."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.faults.conftest import Project, other_pythons

ADD = """
from yao_tasks import tasks
pool = tasks["job"]
hung = pool.add("hang")
ids = [pool.add("work") for _ in range({count} - 1)]
print(hung, flush=True)
"""


@pytest.fixture
def jobs(project: Project) -> Project:
    """A project whose task has events that write down each end."""
    events = {"success": "jobs.succeeded", "error": "jobs.failed"}
    project.task("job", "jobs.choose", worker_nums=4, timeout=1, event=events)
    return project


def ends_well(project: Project, process: "subprocess.Popen[str]", count: int) -> None:
    """All jobs of the process but the first have succeeded, and that one has timed out."""
    out, err = process.communicate(timeout=60)
    hung = out.split()[-1]
    ends = [line for line in project.ledger() if line[0] != "ran"]
    assert sorted(ends)[0] == ["error", hung, "JobTimeout"]
    assert [line[0] for line in sorted(ends)[1:]] == ["success"] * (count - 1)
    assert len({line[1] for line in ends}) == count
    assert process.returncode == 0
    assert "Waiting for " in err
    assert " background job" in err
    # The timed-out job's own traceback is the only text of an error.
    assert "RuntimeError" not in err
    assert "can't start new thread" not in err


@pytest.mark.slow
def test_a_command_waits_for_its_jobs_and_counts_them(jobs: Project) -> None:
    """D6."""
    began = time.monotonic()

    process = jobs.start("shell", "--no-imports", "-c", ADD.format(count=100))

    ends_well(jobs, process, 100)
    assert time.monotonic() - began < 10


@pytest.mark.slow
def test_a_command_with_a_thousand_jobs_waits_for_them_all(jobs: Project) -> None:
    """D6."""
    jobs.task("job", "jobs.choose", timeout=5, event={"success": "jobs.succeeded", "error": "jobs.failed"})

    process = jobs.start("shell", "--no-imports", "-c", ADD.format(count=1_000))

    ends_well(jobs, process, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "python", other_pythons() or [pytest.param("", marks=pytest.mark.skip("none found"))]
)
def test_no_thread_is_started_at_the_end_whatever_the_interpreter(jobs: Project, python: str) -> None:
    """D7."""
    process = jobs.start("shell", "--no-imports", "-c", ADD.format(count=1_000), python=python)

    ends_well(jobs, process, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [30, 2_592_000])
def test_ctrl_c_leaves_the_jobs_and_names_them(jobs: Project, timeout: float) -> None:
    """D6."""
    jobs.task("job", "jobs.choose", worker_nums=2, timeout=timeout, event={"error": "jobs.failed"})
    left = interrupted(jobs)

    assert sorted(line for line in jobs.ledger() if line[0] == "error") == sorted(
        ["error", job_id, "JobLost"] for job_id in left
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "python", other_pythons() or [pytest.param("", marks=pytest.mark.skip("none found"))]
)
def test_ctrl_c_leaves_no_traceback_whatever_the_interpreter(jobs: Project, python: str) -> None:
    """D7."""
    jobs.task("job", "jobs.choose", worker_nums=2, timeout=30)

    interrupted(jobs, python)


def interrupted(jobs: Project, python: str = sys.executable) -> list[str]:
    """Interrupt a command while it waits for two hung jobs and one behind them; answer their ids."""
    code = 'from yao_tasks import tasks\nprint(*(tasks["job"].add("hang") for _ in range(3)), flush=True)'
    # A process that was started with SIGINT ignored hands that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = jobs.start("shell", "--no-imports", "-c", code, python=python)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stderr is not None
    ids = process.stdout.readline().split()
    assert "Waiting for 3 background jobs" in process.stderr.readline()
    began = time.monotonic()

    os.kill(process.pid, signal.SIGINT)

    _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert "Leaving" in err
    assert all(job_id in err for job_id in ids)
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    return ids


@pytest.mark.slow
def test_a_command_without_jobs_leaves_at_once_and_says_nothing(jobs: Project) -> None:
    process = jobs.start(
        "shell", "--no-imports", "-c", "from yao_tasks import tasks; print(tasks['job'].metrics()['added'])"
    )

    out, err = process.communicate(timeout=20)

    assert (out.split()[-1], err, process.returncode) == ("0", "", 0)


@pytest.mark.slow
def test_a_command_whose_jobs_have_ended_says_nothing(jobs: Project) -> None:
    code = "from yao_tasks import tasks; pool = tasks['job']; pool.wait(pool.add('work'), 5)"
    process = jobs.start("shell", "--no-imports", "-c", code)

    _, err = process.communicate(timeout=20)

    assert ("Waiting" in err, process.returncode) == (False, 0)
    assert [line[0] for line in jobs.ledger()] == ["ran", "success"]


@pytest.mark.slow
def test_a_job_that_adds_another_while_the_command_waits_is_refused_or_runs(jobs: Project) -> None:
    (jobs.folder / "chain.py").write_text(
        "import time\nfrom jobs import note\nfrom yao_tasks import tasks\n"
        "def step(job_id, left):\n"
        "    time.sleep(0.1)\n    note('step', left)\n"
        "    if left:\n        tasks['chain'].add(left - 1)\n"
    )
    jobs.task("chain", "chain.step")

    process = jobs.start("shell", "--no-imports", "-c", "from yao_tasks import tasks; tasks['chain'].add(3)")

    process.communicate(timeout=20)
    assert [line for line in jobs.ledger() if line[0] == "step"] == [
        ["step", str(left)] for left in (3, 2, 1, 0)
    ]


@pytest.mark.slow
def test_the_exit_code_of_the_command_stays_its_own(jobs: Project) -> None:
    code = "import sys\nfrom yao_tasks import tasks\ntasks['job'].add('work')\nsys.exit(3)"
    process = jobs.start("shell", "--no-imports", "-c", code)

    process.communicate(timeout=20)

    assert process.returncode == 3
    assert [line[0] for line in jobs.ledger()] == ["ran", "success"]
