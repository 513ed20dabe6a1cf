"""Mails as Django's file backend leaves them: one after another, each closed by a line of dashes."""

from email import message_from_string
from email.message import Message
from pathlib import Path

# One file may hold several mails: its name is made of the second and of an id that Python uses again.
END = f"\n{'-' * 79}\n"


def read(folder: Path) -> list[Message]:
    """All mails that are written to their end."""
    texts = [path.read_text() for path in sorted(folder.glob("*.log"))]
    return [message_from_string(mail) for text in texts for mail in text.split(END)[:-1]]


def recipients(folder: Path) -> list[str]:
    """To whom each mail goes."""
    return [str(mail["To"]) for mail in read(folder)]
