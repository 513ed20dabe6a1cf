"""What is wrong with the files and the settings, as values: collected, so that all show at once."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Code(StrEnum):
    """The name of each fault; `yao_tasks.E001` in system checks. `docs/checks.md` has a section for each."""

    UNREADABLE = "E001"
    SYNTAX = "E002"
    MISSING_KEY = "E003"
    UNKNOWN_KEY = "E004"
    WRONG_VALUE = "E005"
    NOT_BUILT = "E006"
    ENVIRONMENT = "E007"
    SAME_ID = "E008"
    BAD_ID = "E009"
    NO_FOLDER = "E010"
    HANDLER = "E011"
    EVENT = "E012"
    ASYNC = "E013"
    NO_JOB_ID = "E014"
    PROCESSES = "E015"
    EXCEPTION = "E016"
    RECORDS = "E017"
    EMPTY_FOLDER = "W001"
    FIRST_PARAMETER = "W002"
    LIFESPAN = "W003"
    NOT_MIGRATED = "W004"
    SQLITE = "W005"
    OTHER_DATABASE = "W006"
    CONNECTIONS = "W007"
    STATE_DIR = "W008"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong. `text` says what, where and with which value, `hint` what to do, in sentences.

    `task` is the id of the one task that can't be used because of it, `path` the file or folder that it is
    about; each is None where there is none.
    """

    code: Code
    text: str
    hint: str
    task: str | None = None
    path: Path | None = None

    @property
    def is_error(self) -> bool:
        """Whether it forbids the use of something; a warning doesn't."""
        return self.code.startswith("E")

    def __str__(self) -> str:
        return f"{self.text} {self.hint}"


def shown(value: object) -> str:
    """Return `value` as a message may show it: like JSON, on one line, at most 80 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, TypeError, RecursionError):
        # A number of thousands of digits, a value inside itself, a key that is no text.
        text = f"a value of the type {type(value).__name__}"
    return printable(text if len(text) <= 80 else f"{text[:77]}...")


def printable(text: object) -> str:
    """Return `text` with control characters, which terminals obey, and lone surrogates escaped."""
    return re.sub(
        "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]",
        lambda match: match.group().encode("unicode_escape").decode(),
        str(text),
    )
