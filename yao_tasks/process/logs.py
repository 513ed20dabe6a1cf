"""`logs.search`: the newest lines that were logged in the jobs of this process."""

from collections.abc import Mapping
from typing import Any

from yao_tasks.core.diary import LINE_LENGTH, diary
from yao_tasks.core.faults import shown
from yao_tasks.core.keys import nearest
from yao_tasks.process.words import Call, one_of

# Lines that are answered where no limit is given.
LIMIT = 20
KEYS = ("keyword", "limit")


def named(rest: str) -> Call:
    """What `logs.<rest>` means. LookupError."""
    return one_of({"search": Call(function=search, arguments=("filters?",))}, rest, "logs has no verb")  # type: ignore[no-any-return]


def search(filters: Any = None) -> list[dict[str, Any]]:
    """The newest lines with the `keyword` in them, `limit` (20) at most; `task_<id>` finds one job's.

    Each is a dict of `task`, `job`, `at` (seconds since 1970), `level`, `logger` and `text`. TypeError, ValueError.
    """
    wanted = {} if filters is None else filters
    if not isinstance(wanted, Mapping):
        raise TypeError(
            f'logs.search: {shown(filters)} is no dict. Give {{"keyword": "task_1025", "limit": 20}}.'
        )
    for key in wanted:
        if key not in KEYS:
            raise ValueError(f"logs.search: {shown(key)} is no filter. {nearest(key, KEYS)}")
    keyword, limit = wanted.get("keyword", ""), wanted.get("limit", LIMIT)
    if not isinstance(keyword, str):
        raise TypeError(f'logs.search: "keyword" is {shown(keyword)}. Give a text.')
    if len(keyword) > LINE_LENGTH:
        raise ValueError(
            f'logs.search: "keyword" has {len(keyword):,} characters. Give {LINE_LENGTH:,} at most: no line is longer.'
        )
    if type(limit) is not int or limit < 0:
        raise ValueError(f'logs.search: "limit" is {shown(limit)}. Give a whole number of 0 or more.')
    return diary.search(keyword, limit)
