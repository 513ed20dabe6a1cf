"""Arguments that leave the process: strict JSON, and a sentence for all else."""

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yao_tasks.core.strict import MOST_BYTES, MOST_LEVELS, decoded, encoded

CYCLE: list[Any] = []
CYCLE.append(CYCLE)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class Row:
    """As a model instance looks from outside."""

    _meta = object()
    pk = 7


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20
)


@given(st.lists(VALUES, max_size=4), st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_goes_in_comes_out(args: list[Any], kwargs: dict[str, Any]) -> None:
    text = encoded(tuple(args), kwargs)

    assert decoded(text) == (tuple(args), kwargs)
    # The text itself is such that every database stores it.
    assert "\0" not in text
    assert text.encode()


def test_a_tuple_comes_back_as_a_list() -> None:
    assert decoded(encoded(((1, (2,)),), {})) == (([1, [2]],), {})


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (float("nan"), TypeError, "is nan, which is no JSON"),
        (float("inf"), TypeError, "is inf, which is no JSON"),
        (b"x", TypeError, "is a bytes, which is no JSON. Pass a text"),
        ({1}, TypeError, "is a set, which is no JSON. Pass a list"),
        (datetime.date(2026, 1, 2), TypeError, "is a datetime.date, which is no JSON. Pass its isoformat()"),
        (Row(), TypeError, "Row, which is no JSON. Pass its primary key"),
        ({1: 2}, TypeError, "has the key 1, and JSON has texts as keys only"),
        ("a\0b", ValueError, "holds a NUL character"),
        ("a\ud800", ValueError, "holds a lone surrogate"),
        (10**5000, ValueError, "is an integer beyond 64 bits"),
        (2**63, ValueError, "is an integer beyond 64 bits"),
        (CYCLE, ValueError, f"is nested more than {MOST_LEVELS} levels deep"),
        (nested(MOST_LEVELS + 1), ValueError, f"is nested more than {MOST_LEVELS} levels deep"),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("where", ["alone", "named", "in a list", "in a dict"])
def test_what_is_no_strict_json_is_refused_and_its_place_named(
    value: Any, error: type[Exception], said: str, where: str
) -> None:
    """B1."""
    args, kwargs, place = {
        "alone": ((1, value), {}, "Argument 2"),
        "named": ((), {"when": value}, "Argument when"),
        "in a list": (([0, value],), {}, "Argument 1[1]"),
        "in a dict": ((), {"what": {"it": value}}, 'Argument what["it"]'),
    }[where]

    with pytest.raises(error) as raised:
        encoded(args, kwargs)

    assert said in str(raised.value)
    assert str(raised.value).startswith(place)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("key", ["a\0", "\udfff"])
def test_keys_and_names_are_looked_at_too(key: str) -> None:
    """B1."""
    with pytest.raises(ValueError, match=r"A key of argument 1"):
        encoded(({key: 1},), {})
    with pytest.raises(ValueError, match=r"The name of argument"):
        encoded((), {key: 1})


@pytest.mark.parametrize("letter", ["x", "é", "中", "😀"])
def test_64_kib_are_the_most_whatever_the_letters(letter: str) -> None:
    """B1."""
    room = MOST_BYTES - len("[[],{}]") - 2
    most = letter * (room // len(letter.encode()))

    assert decoded(encoded((most,), {})) == ((most,), {})
    with pytest.raises(ValueError, match="65,536 are the most"):
        encoded((most + letter,), {})


@pytest.mark.parametrize("text", ["", "{", "[]", "[1,2]", "[[],[]]", "7", "[" * 100_000])
def test_another_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        decoded(text)


def test_subclasses_of_plain_types_are_written_as_these() -> None:
    class Name(str):
        pass

    assert json.loads(encoded((Name("Ada"), True, -0.0), {"n": 2**63 - 1})) == [
        ["Ada", True, -0.0],
        {"n": 2**63 - 1},
    ]
