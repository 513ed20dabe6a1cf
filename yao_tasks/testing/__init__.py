"""For a project's own tests. Each of the three is a context manager, a decorator, and a pytest fixture.

inline_tasks     each job runs in `add`
captured_tasks   each job is written down in `add`, and runs when the test says so
drained_tasks    real threads, which have come to rest before the test is over
"""

from functools import partial

from yao_tasks import boot
from yao_tasks.engines.inline import InlineEngine
from yao_tasks.testing import drained, recorder
from yao_tasks.testing.around import Around
from yao_tasks.testing.recorder import CapturedJob, CapturedTasks

__all__ = ["CapturedJob", "CapturedTasks", "captured_tasks", "drained_tasks", "inline_tasks"]


def inline_tasks(raise_errors: bool = True) -> Around[None]:
    """Run each job at `add`, in the caller's thread and transaction; retries follow without waiting.

    `raise_errors`: `add` raises what the last run raised; otherwise the job is a FAILURE that `get` shows.
    `add` raises TypeError where the handler can't be called with its arguments. It holds for all threads of
    the process, and starts none.
    """
    if not isinstance(raise_errors, bool):
        raise TypeError(
            f"inline_tasks(raise_errors={raise_errors!r}): give True or False; write @inline_tasks()."
        )
    return Around(partial(boot.engines_by, partial(InlineEngine, raise_errors=raise_errors)))


def captured_tasks() -> Around[CapturedTasks]:
    """Write down each job at `add`, whether a transaction is committed or not, and run it when the test says so.

    A `with` gives the recorder, a `CapturedTasks`; as a decorator it gives it to the parameter `jobs` of a
    function, and to the attribute `jobs` of a TestCase. `add` raises what a real pool would for its arguments, a
    full queue included, and TypeError where the handler can't be called with them. It holds for all threads.
    """
    return Around(recorder.capture, name="jobs")


def drained_tasks(timeout: float = 30) -> Around[None]:
    """Real pools of the test's own, in threads, whatever the settings' engine is.

    On leaving it waits until all jobs and their events have ended, `timeout` seconds at most, and for the threads,
    which close their database connections. What can't end by then, since it isn't due or its pool is paused, is
    cancelled. Raises TimeoutError, which names the jobs, and RuntimeError inside a transaction (of a TestCase,
    say), whose commit its jobs would wait for.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise TypeError(f"drained_tasks(timeout={timeout!r}): give seconds above 0; write @drained_tasks().")
    return Around(partial(drained.drain_after, timeout))
