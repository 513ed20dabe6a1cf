"""Texts that come from the engines, which speak English, in the language of the reader."""

import re
from dataclasses import dataclass

from django.utils.translation import gettext, gettext_noop

# What an engine says, and the same for a page.
PATTERNS = (
    (re.compile(r"(\d+) jobs wait"), gettext_noop("%s jobs wait")),
    (re.compile(r"idle for (\d+) s"), gettext_noop("idle for %s s")),
    (re.compile(r"the machine is busy: (\d+)%"), gettext_noop("the machine is busy: %s %%")),
    (re.compile(r"(event\.\w+) of job (\d+): (\d+) s"), gettext_noop("%s of job %s: %s s")),
    (re.compile(r"No process could be started: (.+)\."), gettext_noop("No process could be started: %s.")),
    (
        re.compile(
            r"(\d+) of its processes died within 10 minutes; the last one (.+)\. The next .+ (\d+) s\."
        ),
        gettext_noop("%s of its processes died within 10 minutes; the last one %s. The next starts in %s s."),
    ),
    (
        re.compile(r"(\d+) of its processes died within 10 minutes; the last one (.+)\."),
        gettext_noop("%s of its processes died within 10 minutes; the last one %s."),
    ),
    (re.compile(r"(\S+), run (\d+) of job (\d+):"), gettext_noop("%s, run %s of job %s:")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A text, and its language where that isn't the page's (else empty)."""

    text: str
    language: str = ""


def said(text: str) -> Said:
    """The text in the language of the request; one that isn't known stays as it is."""
    for pattern, own in PATTERNS:
        if match := pattern.fullmatch(text):
            return Said(text=gettext(own) % match.groups() if match.groups() else gettext(own))
    return Said(text=text, language="en")
