"""A peer's worker: a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# What a worker is given to leave before it is killed (s).
LEAVE = 10


@contextmanager
def worker(*command: str) -> Iterator[None]:
    """Run `python COMMAND…` meanwhile. What it says is put into the error if something goes wrong."""
    log = Path(os.environ["BENCH_FOLDER"], "worker.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(f"{error} Its worker said: {log.read_text(errors='replace')[-2000:]}") from error
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(LEAVE)
    except subprocess.TimeoutExpired:
        # Its children, too: the session is theirs alone.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
