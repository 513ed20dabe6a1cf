"""Handlers of the site whose processes are killed. The ledger knows nothing of the code under test."""

import os
import signal
import time
from pathlib import Path

from yao_tasks import current_job


def note(job_id: int, what: str = "run") -> None:
    """One line in the ledger: what, job, attempt, pid, monotonic nanoseconds. It survives `kill -9`."""
    job = current_job()
    line = f"{what} {job_id} {job.attempt if job else 0} {os.getpid()} {time.monotonic_ns()}\n"
    ledger = os.open(Path(os.environ["SITE"], "ledger"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(ledger, line.encode())
    finally:
        os.close(ledger)


def work(job_id: int, seconds: float = 0.0) -> str:
    """Note the run, and work for so long."""
    note(job_id)
    if seconds:
        until = time.monotonic() + seconds
        job = current_job()
        assert job is not None
        told = False
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.02))
            if job.stopping and not told:
                told = True
                note(job_id, "stopping")
    return "done"


def step(job_id: int, name: object, number: int | None = None) -> str:
    """Note the name of a step of a workflow: one line, in a ledger of its own."""
    text = f"j{number}" if number is not None else str(name)
    ledger = os.open(Path(os.environ["SITE"], "steps"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(ledger, f"{text}\n".encode())
    finally:
        os.close(ledger)
    time.sleep(0.001)
    return text


def poison(job_id: int) -> None:
    """Kill the process that runs it."""
    note(job_id)
    os.kill(os.getpid(), signal.SIGKILL)


def succeeded(job_id: int, result: object) -> None:
    """Note that event.success was called."""
    note(job_id, "success")
