"""A list of some thousand contacts comes in as CSV (`tasks/import_contacts.yao`): it waits for the database."""

import csv
import itertools
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from demo_project.accounts.models import Contact
from yao_tasks import GiveUp, current_job

COLUMNS = ["name", "email"]
BATCH = 250


def import_contacts(job_id: int, name: str = "contacts.csv", rows: int = 3_000) -> dict[str, int]:
    """Import a file of DEMO_DATA; answers how many rows it had, and how many of these no contact could be made of.

    A contact whose address is known already stays as it is: another run does no harm. Writes an example if there
    is no such file.
    """
    path = settings.DATA_DIR / name
    if not path.exists():
        _write_example(path, rows)
    lines = _read(path)
    bad = 0
    for batch in _batches(current_job().track(lines, message=_("Importing")), BATCH):
        good = [Contact(name=line["name"], email=line["email"]) for line in batch if _is_good(line)]
        Contact.objects.bulk_create(good, ignore_conflicts=True)
        bad += len(batch) - len(good)
        time.sleep(settings.DEMO_PAUSE)
    return {"rows": len(lines), "bad": bad}


def _read(path: Path) -> list[dict[str, str]]:
    """The lines of the file. GiveUp says to whoever sent it what is wrong: another run would find the same."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval="")
            if reader.fieldnames != COLUMNS:
                said = {"name": path.name, "found": reader.fieldnames, "wanted": COLUMNS}
                raise GiveUp(_("%(name)s: the first line is %(found)s, not %(wanted)s.") % said)
            return list(reader)
    except (UnicodeDecodeError, csv.Error):
        raise GiveUp(_("%(name)s is no CSV file in UTF-8.") % {"name": path.name}) from None


def _batches(lines: Iterable[dict[str, str]], size: int) -> Iterator[list[dict[str, str]]]:
    lines = iter(lines)
    while batch := list(itertools.islice(lines, size)):
        yield batch


def _is_good(line: dict[str, str]) -> bool:
    try:
        validate_email(line["email"])
    except ValidationError:
        return False
    return bool(line["name"])


def _write_example(path: Path, rows: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        # Each hundredth has an address that is none, as lists from elsewhere do.
        writer.writerows(
            (f"Person {number}", f"person{number}{'@' if number % 100 else ' at '}example.org")
            for number in range(rows)
        )
