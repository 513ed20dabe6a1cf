"""What `using` is given by mistake: a sentence each, before anything is done."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site
from yao_tasks.pools import Pool

HUGE = 10**400
# Python writes no integer of more than 4,300 digits.
HUGER = 10**5_000
NEVER = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.fixture
def pool(task: MakeTask) -> Pool:
    return task(lambda job_id: None)


@pytest.mark.parametrize(
    "value", ["5", b"5", True, [5], object(), Decimal(5)], ids=lambda one: type(one).__name__
)
@pytest.mark.parametrize("option", ["run_after", "timeout", "expires"])
def test_a_time_of_the_wrong_type_is_a_type_error(pool: Pool, option: str, value: object) -> None:
    with pytest.raises(TypeError) as error:
        pool.using(**{option: value})

    hint = {
        "run_after": "give seconds, a timedelta or an aware datetime.",
        "timeout": "give seconds above 0.",
        "expires": "give seconds, 0 or more.",
    }[option]
    assert str(error.value) == f"using({option}={value!r}): {hint}"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(
            (option, value)
            for option in ("run_after", "timeout", "expires")
            for value in (-1, -0.001, HUGE, HUGER)
        ),
        *(
            (option, float(value))
            for option in ("run_after", "timeout", "expires")
            for value in ("nan", "inf", "-inf")
        ),
        ("timeout", 0),
        ("timeout", 0.0),
        ("timeout", 2_592_000.1),
        ("expires", 1e12),
        ("run_after", 1e12),
        ("run_after", timedelta(seconds=-1)),
        ("run_after", timedelta(days=36_500)),
        ("run_after", NEVER),
    ],
    ids=lambda one: repr(one)[:30] if not isinstance(one, int) or abs(one) < 10**9 else "huge",
)
def test_a_time_out_of_its_range_is_a_value_error(pool: Pool, option: str, value: Any) -> None:
    with pytest.raises(ValueError) as error:
        pool.using(**{option: value})

    assert str(error.value).startswith(f"using({option}=")
    assert "give " in str(error.value)
    assert str(error.value).endswith(".")
    assert len(str(error.value)) < 250


@pytest.mark.parametrize("value", [None])
@pytest.mark.parametrize("option", ["run_after", "timeout", "expires", "priority", "unique"])
def test_none_is_no_value(pool: Pool, option: str, value: object) -> None:
    with pytest.raises(TypeError, match=rf"using\({option}=None\)"):
        pool.using(**{option: value})


def test_a_naive_moment_is_a_value_error(pool: Pool) -> None:
    with pytest.raises(ValueError) as error:
        pool.using(run_after=datetime(2030, 1, 1))

    assert "a naive datetime. Give an aware one, as timezone.now() is." in str(error.value)


@pytest.mark.parametrize("value", [1.0, "1", True, Decimal(1), (1,)], ids=repr)
def test_a_priority_of_the_wrong_type_is_a_type_error(pool: Pool, value: object) -> None:
    with pytest.raises(TypeError) as error:
        pool.using(priority=value)

    assert str(error.value) == f"using(priority={value!r}): give a whole number from -100 to 100."


@pytest.mark.parametrize("value", [-101, 101, HUGE, HUGER], ids=["-101", "101", "huge", "huger"])
def test_a_priority_out_of_its_range_is_a_value_error(pool: Pool, value: int) -> None:
    with pytest.raises(
        ValueError, match=r"using\(priority=.*\): give a whole number from -100 to 100\."
    ) as error:
        pool.using(priority=value)

    assert len(str(error.value)) < 200


@pytest.mark.parametrize("value", [-100, 100, 0])
def test_the_ends_of_the_priorities_are_priorities(pool: Pool, value: int) -> None:
    assert pool.wait(pool.using(priority=value).add(), SECONDS).status == "SUCCESS"


@pytest.mark.parametrize(
    "options",
    [
        {"run_after": 315_000_000},
        {"timeout": 2_592_000},
        {"timeout": 1e-9},
        {"expires": 315_000_000},
        {"run_after": timedelta(days=3_650)},
        {"run_after": datetime(1, 1, 1, tzinfo=UTC)},
    ],
    ids=repr,
)
def test_the_ends_of_the_times_are_times(pool: Pool, options: dict[str, Any]) -> None:
    job_id = pool.using(**options).add()

    assert pool.get(job_id).id == job_id


def test_a_key_is_a_text_that_is_not_empty(pool: Pool) -> None:
    for value in (1, b"ada", ("ada",), None):
        with pytest.raises(TypeError, match="give a text, which no other live job of the task may have"):
            pool.using(unique=value)
    with pytest.raises(ValueError, match="give a text that isn't empty"):
        pool.using(unique="")


def test_options_are_given_by_name_only(pool: Pool) -> None:
    with pytest.raises(TypeError):
        pool.using(5)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["run_affter", "prioritty", "timeouts", "expire", "uniqe", "on_commmit"])
def test_an_unknown_option_is_told_with_the_nearest_right_one(pool: Pool, name: str) -> None:
    right = {"run_affter": "run_after", "prioritty": "priority", "timeouts": "timeout"} | {
        "expire": "expires",
        "uniqe": "unique",
        "on_commmit": "on_commit",
    }

    with pytest.raises(TypeError) as error:
        pool.using(**{name: 1})

    assert str(error.value) == f"using() has no option {name}. Did you mean {right[name]}?"


def test_the_options_of_one_adder_hold_for_each_of_its_jobs_and_no_other(site: Site, task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    later = pool.using(run_after=60)

    delayed = [later.add(), later.add()]

    assert all(pool.get(job_id).due_at for job_id in delayed)
    assert pool.wait(pool.add(), SECONDS).status == "SUCCESS"
