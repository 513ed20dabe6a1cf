"""Seconds as people read them, in the language of the request."""

from datetime import datetime

from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_noop

UNITS = (
    (86_400, gettext_noop("%d d")),
    (3_600, gettext_noop("%d h")),
    (60, gettext_noop("%d min")),
    (1, gettext_noop("%d s")),
)

# From so many seconds on, a wait is told in steps of so many: a page of those that wait needn't be drawn each time.
STEPS = ((600.0, 60.0), (60.0, 30.0))


def duration(seconds: float) -> str:
    """A span of time in its two largest units: `4 s`, `2 min 5 s`, `3 d`."""
    if 0 < seconds < 1:
        return gettext("under 1 s")
    rest, parts = max(0, int(seconds)), []
    for length, text in UNITS:
        count, rest = divmod(rest, length)
        parts.append((count, text))
    # From the largest that counts on; seconds where nothing does.
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    shown = [part for place, part in enumerate(parts[first : first + 2]) if part[0] or not place]
    return " ".join(gettext(text) % count for count, text in shown)


def waited(seconds: float, now: datetime) -> str:
    """How long something has waited, of late to the second; all waits of a page go on at the same moments."""
    step = next((step for least, step in STEPS if seconds >= least), 0.0)
    # To the millisecond: what is a whole number of seconds must not be one less now and then.
    return duration(round(seconds - now.timestamp() % step, 3) if step else seconds)


def limit(seconds: float) -> str:
    """A configured time, exact where it is short: `0.5 s`, `30 s`, `10 min`."""
    return duration(seconds) if seconds >= 60 else gettext("%(seconds)s s") % {"seconds": f"{seconds:g}"}


def measured(seconds: float) -> str:
    """A measured time, to two digits or so: `< 1 ms`, `12 ms`, `3.4 s`, `2 min 5 s`."""
    if seconds < 0.001:
        return gettext("< 1 ms")
    if seconds < 1:
        return gettext("%d ms") % (seconds * 1000)
    if seconds < 60:
        return gettext("%(seconds)s s") % {"seconds": number_format(seconds, 1)}
    return duration(seconds)


def age(seconds: float) -> str:
    """How long ago something was, in its largest unit: a page that says it changes once a minute at most."""
    for length, text in UNITS[:-1]:
        if seconds >= length:
            return gettext("%(time)s ago") % {"time": gettext(text) % (seconds // length)}
    return gettext("under 1 min ago")
