"""For a project's own tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from yao_tasks import boot
from yao_tasks.engines.inline import InlineEngine


@contextmanager
def inline_tasks(raise_errors: bool = True) -> Iterator[None]:
    """Run each job at `add`, in the caller's thread and transaction; retries follow without waiting.

    `raise_errors`: `add` raises what the last run raised; otherwise the job is a FAILURE that `get` shows.
    A context manager and a decorator. It holds for all threads of the process, and starts none.
    """
    with boot.engines_by(partial(InlineEngine, raise_errors=raise_errors)):
        yield
