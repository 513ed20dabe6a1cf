"""All three decorate: functions, async functions, classes of tests."""

import asyncio
import inspect
import unittest
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Site
from tests.testing.conftest import run_case, told
from yao_tasks import boot
from yao_tasks.pools import Pool
from yao_tasks.testing import captured_tasks, drained_tasks, inline_tasks

BY_KIT = pytest.mark.parametrize(
    ("kit", "inside"),
    [(inline_tasks, "InlineEngine"), (captured_tasks, "CapturedEngine"), (drained_tasks, "DrainedEngine")],
)


@pytest.fixture
def pool(site: Site) -> Pool:
    return site.task("job", lambda job_id: None)


def engine(pool: Pool) -> str:
    """How the task's jobs are handled just now."""
    return type(boot.engine(pool.id)).__name__


@BY_KIT
def test_a_function_runs_inside_each_time(kit: Callable[[], Any], inside: str, pool: Pool) -> None:
    @kit()
    def function(number: int) -> tuple[str, int]:
        """Its words."""
        return engine(pool), number

    assert [function(1), function(number=2)] == [(inside, 1), (inside, 2)]
    assert (function.__name__, function.__doc__) == ("function", "Its words.")
    assert engine(pool) == "EmbeddedEngine"


@BY_KIT
def test_an_async_function_runs_inside(kit: Callable[[], Any], inside: str, pool: Pool) -> None:
    @kit()
    async def function() -> str:
        await asyncio.sleep(0)
        return engine(pool)

    assert asyncio.run(function()) == inside
    assert inspect.iscoroutinefunction(function)
    assert engine(pool) == "EmbeddedEngine"


@BY_KIT
def test_all_tests_of_a_class_run_inside_with_set_up_and_tear_down(
    kit: Callable[[], Any], inside: str, pool: Pool
) -> None:
    seen: list[str] = []

    @kit()
    class Case(unittest.TestCase):
        def setUp(self) -> None:
            self.addCleanup(self.note)
            self.note()

        def tearDown(self) -> None:
            self.note()

        def test_one(self) -> None:
            self.note()

        def test_two(self) -> None:
            self.note()

        def note(self) -> None:
            seen.append(engine(pool))

    result = run_case(Case)

    assert told(result) == ""
    assert seen == [inside] * 8
    assert engine(pool) == "EmbeddedEngine"


def test_a_class_of_asynchronous_tests_runs_inside(pool: Pool) -> None:
    @inline_tasks()
    class Case(unittest.IsolatedAsyncioTestCase):
        async def test_one(self) -> None:
            assert pool.get(await pool.aadd()).status == "SUCCESS"

    assert told(run_case(Case)) == ""


def test_a_subclass_may_be_decorated_again(pool: Pool) -> None:
    @captured_tasks()
    class Base(unittest.TestCase):
        def test_one(self) -> None:
            assert engine(pool) == "CapturedEngine"

    @inline_tasks()
    class Child(Base):
        def test_one(self) -> None:
            assert engine(pool) == "CapturedEngine"

        def test_two(self) -> None:
            with inline_tasks():
                assert engine(pool) == "InlineEngine"

    assert told(run_case(Child)) == ""
    assert engine(pool) == "EmbeddedEngine"


def test_a_parameter_jobs_is_given_the_recorder(pool: Pool) -> None:
    @captured_tasks()
    def function(first: int, jobs: Any) -> int:
        pool.add()
        return first + len(jobs)

    assert function(1) == 2
    assert list(inspect.signature(function).parameters) == ["first"]


def test_an_async_function_is_given_the_recorder(pool: Pool) -> None:
    @captured_tasks()
    async def function(jobs: Any) -> int:
        await pool.aadd()
        return len(jobs)

    assert asyncio.run(function()) == 1


def test_a_class_has_the_recorder_as_its_attribute_jobs(pool: Pool) -> None:
    @captured_tasks()
    class Case(unittest.TestCase):
        jobs: Any

        def setUp(self) -> None:
            pool.add()

        def test_one(self) -> None:
            assert len(self.jobs) == 1

        def test_two(self) -> None:
            assert len(self.jobs) == 1

    assert told(run_case(Case)) == ""


def test_it_is_left_when_the_function_raises(pool: Pool) -> None:
    @captured_tasks()
    def function() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        function()

    assert engine(pool) == "EmbeddedEngine"


def test_parentheses_that_were_forgotten_are_named() -> None:
    with pytest.raises(TypeError, match=r"write @inline_tasks\(\)"):
        inline_tasks(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="positional argument"):
        captured_tasks(lambda: None)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"write @drained_tasks\(\)"):
        drained_tasks(lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout", [0, -1, True, "5", float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises(TypeError, match="above 0"):
        drained_tasks(timeout)


def test_what_can_not_be_decorated_is_named() -> None:
    with pytest.raises(TypeError, match=r"Plain is no unittest\.TestCase"):

        @inline_tasks()
        class Plain:
            pass

    with pytest.raises(TypeError, match="generator"):

        @inline_tasks()
        def generator() -> Any:
            yield
