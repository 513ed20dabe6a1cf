"""JSON with comments: what is read, and where an error is said to be."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yao_tasks.core.jsonc import DEPTH, JSONSyntaxError, loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)
GAPS = st.sampled_from(
    ["", " ", "\n", "\t", "\r\n", "/**/", "/* a, ] } */", '// "x": [\n', "/* \n * // \n **/"]
)


def error(text: str, *, relaxed: bool = True) -> JSONSyntaxError:
    with pytest.raises(JSONSyntaxError) as caught:
        loads(text, relaxed=relaxed)
    return caught.value


def written(value: object, draw: st.DrawFn) -> str:
    """Return `value` as JSON with gaps between all tokens, and commas after last elements."""

    def gap() -> str:
        return draw(GAPS)

    def joined(parts: list[str], opening: str, closing: str) -> str:
        last = draw(st.sampled_from(["", ","])) if parts else ""
        return gap() + opening + ",".join(parts) + last + gap() + closing + gap()

    if isinstance(value, dict):
        pairs = [f"{gap()}{json.dumps(key)}{gap()}:{written(one, draw)}" for key, one in value.items()]
        return joined(pairs, "{", "}")
    if isinstance(value, list):
        return joined([written(one, draw) for one in value], "[", "]")
    return gap() + json.dumps(value, ensure_ascii=draw(st.booleans())) + gap()


@given(st.data())
def test_any_value_survives_comments_between_its_tokens_and_trailing_commas(data: st.DataObject) -> None:
    value = data.draw(VALUES)
    text = written(value, data.draw)

    assert loads(text, relaxed=True) == value


@given(VALUES, st.sampled_from([None, 2]))
def test_strict_json_is_read_as_the_standard_library_reads_it(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)

    assert loads(text, relaxed=False) == json.loads(text)


@given(st.text(alphabet='{}[]:,"\\/*-+.0123456789eEtrufalsn \n', max_size=30))
def test_strict_json_is_what_the_standard_library_takes(text: str) -> None:
    try:
        expected = json.loads(text, object_pairs_hook=_unique)
    except ValueError:
        expected = error
    else:
        expected = error if isinstance(expected, float) and not math.isfinite(expected) else expected
    try:
        found = loads(text, relaxed=False)
    except JSONSyntaxError:
        found = error

    assert found == expected


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def test_a_comment_in_a_string_is_text() -> None:
    assert loads('["// no", "/* no */"]', relaxed=True) == ["// no", "/* no */"]


def test_a_byte_order_mark_is_skipped_and_takes_no_column() -> None:
    found = error("\ufeff[1 2]")

    assert loads("\ufeff[1]", relaxed=False) == [1]
    assert (found.line, found.column) == (1, 4)


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("", 1, 1, "a value is missing before the end of the text"),
        ("// only\n", 2, 1, "a value is missing before the end of the text"),
        ('{\n  // first\n  "a": 1\n  "b": 2\n}', 4, 3, '"," or "}" is missing before "\\"b\\""'),
        ('{"a" /* x\n y */ 1}', 2, 7, '":" is missing before "1"'),
        ('{"a": 1,\n "a": 2}', 2, 2, 'the key "a" is given twice'),
        ("{a: 1}", 1, 2, 'a key in double quotes or "}" is missing before "a"'),
        ("{'a': 1}", 1, 2, 'strings take double quotes (")'),
        ("[1,,2]", 1, 4, 'a value is missing before ","'),
        ('{"a": NaN}', 1, 7, "NaN is no JSON value"),
        ("[-Infinity]", 1, 2, "-Infinity is no JSON value"),
        ("[True]", 1, 2, "True is no JSON value"),
        ("[1e999]", 1, 2, "this number is too large"),
        (f"[{'9' * 5000}]", 1, 2, "this number has too many digits"),
        ("[01]", 1, 3, '"," or "]" is missing before "1"'),
        (
            '["a\nb"]',
            1,
            2,
            "the string that starts here has no end on its line, or has a control character in it",
        ),
        (r'["abc\x"]', 1, 6, "this backslash starts no escape that JSON knows"),
        ("[1] /* open", 1, 5, "the comment that starts here has no end"),
        ("[1]\n]", 2, 1, '"]" comes after the end of the value'),
        ("[#]", 1, 2, '"#" has no place here'),
        ("[" * 5000, 1, DEPTH + 2, f"values are nested more than {DEPTH} deep"),
    ],
)
def test_an_error_says_line_column_and_reason(text: str, line: int, column: int, reason: str) -> None:
    found = error(text)

    assert (found.line, found.column, found.reason) == (line, column, reason)
    assert str(found) == f"line {line}, column {column}: {reason}"


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("[1] // x", 5, "strict JSON has no comments; a .yao or .jsonc file may have them"),
        ("[1 , ]", 4, 'strict JSON has no comma before "]"'),
        ('{"a": 1,}', 8, 'strict JSON has no comma before "}"'),
    ],
)
def test_strict_json_refuses_what_relaxed_json_allows(text: str, column: int, reason: str) -> None:
    found = error(text, relaxed=False)

    assert (found.column, found.reason) == (column, reason)
    loads(text, relaxed=True)


def test_a_comma_alone_is_no_value() -> None:
    assert error("[,]").reason == 'a value is missing before ","'
    assert error("{,}").reason == 'a key in double quotes or "}" is missing before ","'


def test_values_nested_as_deep_as_allowed_are_read() -> None:
    assert loads("[" * DEPTH + "]" * DEPTH, relaxed=False) is not None
