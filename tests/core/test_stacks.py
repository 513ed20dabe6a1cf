"""Where other threads are, without disturbing them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import SECONDS, until
from yao_tasks.core import stacks


def test_a_thread_s_stack_reads_as_a_traceback_does() -> None:
    go, there = threading.Event(), threading.Event()

    def inner() -> None:
        there.set()
        go.wait(SECONDS)

    def outer() -> None:
        inner()

    thread = threading.Thread(target=outer)
    thread.start()
    assert there.wait(SECONDS)
    assert thread.ident is not None

    text = until(
        lambda: (found := stacks.of_threads({thread.ident}))[thread.ident].count("wait") > 1 and found
    )
    go.set()
    thread.join()

    stack = text[thread.ident]
    assert f'File "{__file__}", line ' in stack
    assert stack.index("in outer\n    inner()\n") < stack.index("inner\n    go.wait(SECONDS)\n")
    assert set(text) == {thread.ident}
    assert stacks.of_threads({thread.ident}) == {}


def test_of_more_threads_than_can_be_told_each_has_at_least_its_innermost_frame() -> None:
    go = threading.Event()
    threads = [threading.Thread(target=go.wait) for _ in range(130)]
    for thread in threads:
        thread.start()
    idents = {thread.ident for thread in threads if thread.ident is not None}

    found = stacks.of_threads(idents)
    go.set()
    for thread in threads:
        thread.join()

    assert set(found) == idents
    assert all('.py", line ' in stack for stack in found.values())


@pytest.mark.slow
def test_threads_that_run_while_they_are_looked_at_crash_nothing() -> None:
    stop = threading.Event()

    @contextmanager
    def nested(depth: int) -> Iterator[None]:
        if depth:
            with nested(depth - 1):
                yield
        else:
            yield

    def work() -> None:
        while not stop.is_set():
            with nested(5):
                sum(number for number in range(50))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    until_ = time.monotonic() + 3
    count = 0
    while time.monotonic() < until_:
        count += len(stacks.of_threads({thread.ident or 0 for thread in threads}))
    stop.set()
    for thread in threads:
        thread.join()

    assert count >= 8
