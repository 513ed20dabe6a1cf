"""Loads: what adds so many jobs, and how long that takes them.

The jobs of this process are counted by `jobs.finish`. Those of a worker in another process each write a byte to a
named pipe, which costs a system call, little against what they cost otherwise.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from select import select
from time import perf_counter

from benchmarks.jobs import DEADLINE, finish

Load = Callable[[int], object]
"""Adds so many jobs. What it answers is kept until the last of them has run."""


def timed(load: Load, count: int) -> float:
    """Seconds from the first add until the last job has run, in this process."""
    finish.expect(count)
    start = perf_counter()
    kept = load(count)
    finish.wait()
    seconds = perf_counter() - start
    finish.check()
    del kept
    return seconds


def adding(task: str) -> Load:
    """Loads a pool of ours."""
    from yao_tasks import tasks

    def load(count: int) -> None:
        add = tasks[task].add
        for _ in range(count):
            add()

    return load


def timed_by(pipe: int, load: Load, count: int) -> float:
    """Seconds from the first add until the last job has run, in a worker that writes to the pipe."""
    start = perf_counter()
    load(count)
    ran = 0
    while ran < count:
        if not select([pipe], [], [], DEADLINE)[0]:
            raise RuntimeError(f"{ran} of {count} jobs have run when none came for {DEADLINE} s.")
        ran += len(os.read(pipe, count - ran))
    seconds = perf_counter() - start
    if select([pipe], [], [], 0)[0]:
        raise RuntimeError(f"More jobs have run than the {count} that were added.")
    return seconds


@contextmanager
def pipe() -> Iterator[int]:
    """The pipe's end to read from."""
    os.mkfifo(_path())
    # For both, so that there is a writer even while no worker is there.
    reader = os.open(_path(), os.O_RDWR)
    try:
        yield reader
    finally:
        os.close(reader)
        os.unlink(_path())


def tell() -> None:
    """In a worker: a job has run."""
    writers = _writers.setdefault(os.getpid(), [])
    if not writers:
        writers.append(os.open(_path(), os.O_WRONLY))
    os.write(writers[0], b".")


# By pid: some workers fork.
_writers: dict[int, list[int]] = {}


def _path() -> str:
    return os.path.join(os.environ["BENCH_FOLDER"], "done")
