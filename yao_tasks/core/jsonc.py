"""JSON for people: comments and trailing commas, and errors that say where.

    text -> tokens (comments fall out here) -> value

Everything else is strict: no NaN, no infinite number, no key twice. The standard library's parser
can't say where it met those, so this one reads its own tokens and leaves only strings to it.
"""

import json
import math
import re
from typing import Any, NoReturn

# Deeper than any definition needs, and far from Python's own limit on recursion.
DEPTH = 100

_TOKEN = re.compile(
    r"""
    (?P<space>   [ \t\n\r]+ )
  | (?P<comment> //[^\n\r]* | /\*[\s\S]*?\*/ )
  | (?P<string>  "(?: [^"\\\x00-\x1f]++ | \\. )*+" )
  | (?P<number>  -?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?+ )
  | (?P<word>    -?[A-Za-z_$][\w$]* )
  | (?P<mark>    [{}\[\]:,] )
    """,
    re.VERBOSE,
)
_WORDS = {"true": True, "false": False, "null": None}
_UNREADABLE = {
    '"': "the string that starts here has no end on its line, or has a control character in it",
    "/": "the comment that starts here has no end",
    "'": 'strings take double quotes (")',
}


class JSONSyntaxError(ValueError):
    """The text is no JSON. `line` and `column` count from 1, in characters; `reason` has no full stop."""

    def __init__(self, reason: str, *, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.reason, self.line, self.column = reason, line, column


def loads(text: str, *, relaxed: bool) -> object:
    """Return the value that `text` holds; `relaxed` allows comments and trailing commas.

    A byte order mark at the start is skipped. Raises `JSONSyntaxError`.
    """
    text = text.removeprefix("\ufeff")
    try:
        return (
            _QUICK.decode(text)
            if text.count("[") + text.count("{") <= DEPTH
            else _careful(text, relaxed=relaxed)
        )
    except (ValueError, RecursionError):
        # Comments, or a fault whose place the standard library can't tell.
        return _careful(text, relaxed=relaxed)


def _careful(text: str, *, relaxed: bool) -> object:
    tokens = _Tokens(text, relaxed=relaxed)
    value = _value(tokens, depth=0)
    if tokens.kind != "end":
        tokens.fail(f"{tokens.shown} comes after the end of the value")
    return value


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("no number")
    return number


# Four times as fast, for files without comments.
_QUICK = json.JSONDecoder(object_pairs_hook=_no_twins, parse_float=_finite, parse_constant=_finite)


class _Tokens:
    """The text's tokens, one at a time: `kind`, `word` and `start` are those of the current one."""

    def __init__(self, text: str, *, relaxed: bool) -> None:
        self.text, self.relaxed = text, relaxed
        self.end = 0
        self.advance()

    def advance(self) -> None:
        """Go to the next token that means something; at the end of the text, its kind is "end"."""
        while True:
            self.start = self.end
            match = _TOKEN.match(self.text, self.start)
            if match is None:
                return self._stop()
            self.kind, self.word, self.end = str(match.lastgroup), match.group(), match.end()
            if self.kind == "comment" and not self.relaxed:
                self.fail("strict JSON has no comments; a .yao or .jsonc file may have them")
            if self.kind not in ("space", "comment"):
                return None

    def _stop(self) -> None:
        self.kind, self.word = "end", ""
        if self.start < len(self.text):
            self.word = self.text[self.start]
            self.fail(_UNREADABLE.get(self.word, f"{self.shown} has no place here"))

    def skip(self, mark: str) -> bool:
        """Go past `mark` if it is the current token, and say whether it was."""
        found = self.kind == "mark" and self.word == mark
        if found:
            self.advance()
        return found

    @property
    def shown(self) -> str:
        """The current token, for a sentence."""
        return "the end of the text" if not self.word else json.dumps(self.word[:40])

    def fail(self, reason: str, *, at: int | None = None) -> NoReturn:
        """Raise `JSONSyntaxError` for the current token, or for the position `at`."""
        position = self.start if at is None else at
        line = self.text.count("\n", 0, position) + 1
        raise JSONSyntaxError(reason, line=line, column=position - self.text.rfind("\n", 0, position))


def _value(tokens: _Tokens, *, depth: int) -> Any:
    if depth > DEPTH:
        tokens.fail(f"values are nested more than {DEPTH} deep")
    if tokens.skip("{"):
        return _object(tokens, depth=depth)
    if tokens.skip("["):
        return _array(tokens, depth=depth)
    match tokens.kind:
        case "string":
            value: Any = _string(tokens)
        case "number":
            value = _number(tokens)
        case "word" if tokens.word in _WORDS:
            value = _WORDS[tokens.word]
        case "word":
            tokens.fail(f"{tokens.word[:40]} is no JSON value")
        case _:
            tokens.fail(f"a value is missing before {tokens.shown}")
    tokens.advance()
    return value


def _object(tokens: _Tokens, *, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while not tokens.skip("}"):
        if tokens.kind != "string":
            tokens.fail(f'a key in double quotes or "}}" is missing before {tokens.shown}')
        key = _string(tokens)
        if key in found:
            tokens.fail(f"the key {json.dumps(key)} is given twice")
        tokens.advance()
        if not tokens.skip(":"):
            tokens.fail(f'":" is missing before {tokens.shown}')
        found[key] = _value(tokens, depth=depth + 1)
        _separator(tokens, closing="}")
    return found


def _array(tokens: _Tokens, *, depth: int) -> list[Any]:
    found: list[Any] = []
    while not tokens.skip("]"):
        found.append(_value(tokens, depth=depth + 1))
        _separator(tokens, closing="]")
    return found


def _separator(tokens: _Tokens, *, closing: str) -> None:
    """Go past a comma, unless the collection ends here."""
    if tokens.kind == "mark" and tokens.word == closing:
        return
    comma = tokens.start
    if not tokens.skip(","):
        tokens.fail(f'"," or "{closing}" is missing before {tokens.shown}')
    if not tokens.relaxed and tokens.word == closing:
        tokens.fail(f'strict JSON has no comma before "{closing}"', at=comma)


def _string(tokens: _Tokens) -> str:
    try:
        return str(json.loads(tokens.word))
    except json.JSONDecodeError as error:
        # Only an escape can still be wrong.
        tokens.fail("this backslash starts no escape that JSON knows", at=tokens.start + error.pos)


def _number(tokens: _Tokens) -> int | float:
    whole = not any(sign in tokens.word for sign in ".eE")
    try:
        value = int(tokens.word) if whole else float(tokens.word)
    except ValueError:
        # Python refuses to read whole numbers of more than 4,300 digits.
        tokens.fail("this number has too many digits")
    if math.isinf(value):
        tokens.fail("this number is too large")
    return value
