"""What a list of jobs is asked for: read from the address, and written back into it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from yao_tasks.core.faults import shown
from yao_tasks.core.jobs import FAILURE_NAME, RUNNING_NAME, SUCCESS_NAME, WAITING_NAME
from yao_tasks.dashboard.pages import NoPage
from yao_tasks.dashboard.statuses import KINDS

ORDERS = ("-added_at", "added_at", "-ended_at", "ended_at")
# What is looked for in a text is a few words.
LONGEST_TEXT = 200

# The tabs: what each asks a pool for, and what it is called.
SEARCHES: dict[str, dict[str, str]] = {
    "": {},
    "running": {"status": RUNNING_NAME},
    "waiting": {"status": WAITING_NAME, "phase": "ready"},
    "retrying": {"status": WAITING_NAME, "phase": "retrying"},
    "delayed": {"status": WAITING_NAME, "phase": "delayed"},
    "succeeded": {"status": SUCCESS_NAME},
    "failed": {"status": FAILURE_NAME},
}
WORDS = {
    "": _("All"),
    "running": _("Running"),
    "waiting": _("Waiting"),
    "retrying": _("Retrying"),
    "delayed": _("Delayed"),
    "succeeded": _("Succeeded"),
    "failed": _("Failed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs, in which order, which page of them. Fields are called as in the address; empty: whatever."""

    task: str = ""
    status: str = ""
    """A tab: a key of `SEARCHES`."""
    kind: str = ""
    """Of a failure."""
    type: str = ""
    """The name of a failure's exception, whole."""
    q: str = ""
    """A text: `id:`, `args:` or `error:` before it says where, without one it may be anywhere."""
    since: str = ""
    until: str = ""
    """Days, or moments, at which the job was added; a day counts whole."""
    order: str = "-added_at"
    page: int = 1
    back: int = 0
    """How far back a text is looked for: so many slices of jobs were looked at already."""

    @property
    def search(self) -> dict[str, Any]:
        """What a pool is asked for: the text and the page apart."""
        asked: dict[str, Any] = {**SEARCHES[self.status], "order": self.order}
        if self.kind:
            asked |= {"kind": self.kind, "status": FAILURE_NAME}
        if self.since:
            asked["since"] = moment("since", self.since)
        if self.until:
            asked["until"] = moment("until", self.until, whole_day=True)
        return asked

    @property
    def is_by_tab_only(self) -> bool:
        """Whether the counts of the tabs say how many jobs there are."""
        return not (self.kind or self.type or self.q or self.since or self.until)

    def query(self, **changes: Any) -> str:
        """The address's query with these changes, its defaults left out: `?status=failed`."""
        new = replace(self, **changes)
        given = {
            one.name: value
            for one in fields(new)
            if (value := getattr(new, one.name)) != getattr(NONE, one.name)
        }
        return f"?{urlencode(given)}"


NONE = Filter()


def read_filter(given: QueryDict | Mapping[str, str]) -> Filter:
    """What an address asks for. NoPage (400) for what there is not; numbers are brought into their range."""
    wanted = Filter(
        task=given.get("task", ""),
        status=_one_of("status", given.get("status", ""), SEARCHES),
        kind=_one_of("kind", given.get("kind", ""), ["", *KINDS]),
        type=given.get("type", "")[:LONGEST_TEXT],
        q=given.get("q", "").strip()[:LONGEST_TEXT],
        since=given.get("since", ""),
        until=given.get("until", ""),
        order=_one_of("order", given.get("order") or NONE.order, ORDERS),
        page=max(1, number(given.get("page", ""), 1)),
        # As many as are ever linked to: what lies further back is found by its moment.
        back=min(number(given.get("back", ""), 0), 60),
    )
    if wanted.kind and wanted.status not in ("", "failed"):
        wanted = replace(wanted, status="failed")
    # Dates are read here, so that a wrong one is refused before anything is looked up.
    _ = wanted.search
    return wanted


def number(text: str, default: int) -> int:
    """A whole number of an address; `default` for what is none."""
    # Nine digits are more than there can be of anything, and no work to read.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else default


def moment(name: str, text: str, *, whole_day: bool = False) -> datetime:
    """A day or a moment as an aware datetime; with `whole_day` a day's end. NoPage (400) for what is neither."""
    try:
        at = parse_datetime(text) if len(text) > 10 else None
        day = parse_date(text) if at is None else None
        if day is not None:
            at = datetime.combine(day, time()) + timedelta(days=whole_day)
        if at is None:
            raise ValueError(text)
        return timezone.make_aware(at) if timezone.is_naive(at) else at
    except (ValueError, OverflowError) as error:
        sentence = gettext("%(name)s: %(value)s is no date. Give one as 2026-01-31.")
        raise NoPage(sentence % {"name": name, "value": shown(text[:50])}, status=400) from error


def _one_of(name: str, value: str, known: Any) -> str:
    if value in known:
        return value
    sentence = gettext("%(name)s: there is no %(value)s. There are: %(known)s.")
    values = {"name": name, "value": shown(value[:50]), "known": ", ".join(one for one in known if one)}
    raise NoPage(sentence % values, status=400)
