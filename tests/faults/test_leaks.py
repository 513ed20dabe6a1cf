"""What one job leaves in its thread must not reach the next, nor a request's state a job."""

import decimal
import importlib.metadata
import os
import re
import subprocess
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import asgiref
import pytest
from asgiref.local import Local
from django.utils import timezone, translation
from packaging.requirements import Requirement

from tests.conftest import SECONDS, Site

ROOT = Path(__file__).parents[2]

TENANT: ContextVar[str] = ContextVar("tenant", default="none")
REQUEST = Local()
OLD_ASGIREF = "3.8.1"

State = tuple[str, str, str, object, int]
DEFAULTS: State = ("en-us", "UTC", "none", None, 28)


def state() -> State:
    """What a job sees."""
    return (
        translation.get_language(),
        timezone.get_current_timezone_name(),
        TENANT.get(),
        getattr(REQUEST, "data", None),
        decimal.getcontext().prec,
    )


def change(*_: Any) -> State:
    """See, and then set it all to something else."""
    seen = state()
    translation.activate("de")
    timezone.activate("Asia/Tokyo")
    TENANT.set("tenant-A")
    REQUEST.data = "the request's"
    decimal.getcontext().prec = 3
    return seen


@pytest.fixture(autouse=True)
def _unchanged(settings: Any) -> Any:
    settings.TIME_ZONE, settings.LANGUAGE_CODE = "UTC", "en-us"
    yield
    translation.deactivate()
    timezone.deactivate()
    TENANT.set("none")
    REQUEST.data = None
    decimal.getcontext().prec = 28


def test_a_job_sees_nothing_that_one_before_it_in_its_thread_has_set(site: Site) -> None:
    """F27."""
    pool = site.task("job", change, worker_nums=1)

    seen = [pool.wait(pool.add(), SECONDS).response for _ in range(3)]

    assert seen == [DEFAULTS] * 3


def test_a_job_sees_nothing_that_its_caller_has_set(site: Site) -> None:
    """F27."""
    pool = site.task("job", lambda job_id: state(), worker_nums=1)
    pool.wait(pool.add(), SECONDS)
    change()

    info = pool.wait(pool.add(), SECONDS)

    assert info.response == DEFAULTS
    assert state() == ("de", "Asia/Tokyo", "tenant-A", "the request's", 3)


def test_events_leave_nothing_to_the_next_job_and_nothing_in_their_caller(site: Site) -> None:
    """F27."""
    pool = site.task(
        "job",
        lambda job_id: state(),
        worker_nums=1,
        event={"add": change, "success": change},
    )

    seen = [pool.wait(pool.add(), SECONDS).response for _ in range(3)]

    assert seen == [DEFAULTS] * 3
    assert state() == DEFAULTS


def test_a_retry_sees_nothing_of_the_run_before(site: Site) -> None:
    """F27."""
    seen: list[State] = []

    def handler(job_id: int) -> None:
        seen.append(change())
        if len(seen) < 3:
            raise ValueError

    pool = site.task("job", handler, worker_nums=1, attempts=2, attempt_after=0)

    pool.wait(pool.add(), SECONDS)

    assert seen == [DEFAULTS] * 3


# And where `sync_to_async` goes inside a coroutine.
COROUTINES = [f"tests/conformance/test_coroutine_{name}.py" for name in ("workers", "events", "threads")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "files",
    [
        pytest.param([str(Path(__file__).relative_to(ROOT))], id="state"),
        pytest.param(["-m", "not soak", *COROUTINES], id="async"),
    ],
)
def test_the_same_holds_with_the_oldest_asgiref(tmp_path: Path, files: list[str]) -> None:
    """F27: which state a context carries has changed with asgiref."""
    (wanted,) = [
        requirement
        for requirement in map(Requirement, importlib.metadata.requires("django") or [])
        if requirement.name == "asgiref"
    ]
    if OLD_ASGIREF not in wanted.specifier or asgiref.__version__ == OLD_ASGIREF:
        pytest.skip(f"this Django asks for {wanted}, and asgiref {asgiref.__version__} is here")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path)]
    subprocess.run([*install, f"asgiref=={OLD_ASGIREF}"], check=True)

    without_folder = {name: value for name, value in os.environ.items() if name != "YAO_TESTS_FOLDER"}
    code = (
        f"import asgiref, pytest, sys; assert asgiref.__version__ == {OLD_ASGIREF!r}; "
        "sys.exit(pytest.main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        # With a folder of its own: it would end with the databases of this run.
        env={**without_folder, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)
