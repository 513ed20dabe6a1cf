"""The parts of a Markdown file that tests look at."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_HEADING = re.compile(r"^(#+) (.+)$", re.M)
_LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)|<(https?://[^>]+)>")
# The name of the file that a block shows, in a comment on its first line.
_FILE = re.compile(r"(?:#|//|<!--) ([\w./]+\.\w+)(?: -->)?\n")


class Block(NamedTuple):
    """A fenced block of code."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The path of the file that the block shows, if it says."""
        match = _FILE.match(self.text)
        return match and match[1]

    @property
    def commands(self) -> list[str]:
        """The lines that a person types."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


def read(page: Path) -> str:
    """The text of a page."""
    return page.read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """The blocks of code, in order."""
    return [Block(*match) for match in _BLOCK.findall(text)]


def prose(text: str) -> str:
    """The text with a gap as long as each block of code: a comment in one looks like a heading."""
    return _BLOCK.sub(lambda match: " " * len(match.group()), text)


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of each heading."""
    return [(len(marks), words) for marks, words in _HEADING.findall(prose(text))]


def section(text: str, title: str) -> str:
    """What follows the heading, up to the next of its level or above."""
    found = list(_HEADING.finditer(prose(text)))
    (first,) = [place for place, one in enumerate(found) if one[2] == title]
    after = [one.start() for one in found[first + 1 :] if len(one[1]) <= len(found[first][1])]
    return text[found[first].end() : after[0] if after else len(text)]


def links(text: str) -> Iterator[str]:
    """Where links and pictures lead, in order."""
    return (link or address for link, address in _LINK.findall(prose(text)))


def anchors(text: str) -> set[str]:
    """What `#…` may name: each heading, as GitHub writes it."""
    words = (re.sub(r"[^\w\- ]", "", words.lower()) for _, words in headings(text))
    return {one.replace(" ", "-") for one in words}
