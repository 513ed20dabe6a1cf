"""What `demo --check` makes of rows and mails."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from demo_project.accounts.models import WelcomeMail
from demo_project.checking import outbox
from demo_project.checking.verdict import missing, table, trouble

NOW = timezone.now()
ADA, BOB = "ada@example.org", "bob@example.org"


def row(name: str, **values: Any) -> WelcomeMail:
    """A row that was never saved."""
    user = User(username=name, email=f"{name}@example.org")
    return WelcomeMail(
        user=user, **{"job_id": 7, "status": "SUCCESS", "attempts": 1, "created_at": NOW, **values}
    )


def test_a_mail_each_is_no_trouble() -> None:
    rows = [row("ada"), row("bob")]

    assert trouble(rows, [BOB, ADA], [ADA, BOB]) is None
    assert missing(rows, [BOB, ADA], [ADA, BOB]) == []


def test_a_failed_mail_is_told_with_its_error() -> None:
    rows = [row("ada", status="FAILURE", error="OSError: no space left"), row("bob")]

    assert (
        trouble(rows, [BOB], [ADA, BOB]) == "The mail to ada@example.org was not sent: OSError: no space left"
    )


def test_a_refused_mail_is_told() -> None:
    found = trouble([row("ada", status="REFUSED", error="the queue is full")], [], [ADA])

    assert found == "The mail to ada@example.org was not sent: the queue is full"


def test_a_second_mail_to_one_person_is_told() -> None:
    assert trouble([row("ada")], [ADA, ADA], [ADA]) == "ada@example.org got 2 mails instead of one."


def test_a_mail_to_a_stranger_is_told() -> None:
    assert trouble([], [BOB], [ADA]) == "A mail went to bob@example.org, who did not sign up."


def test_a_mail_is_missing_until_it_is_there_and_its_row_knows() -> None:
    assert missing([row("ada"), row("bob", status="WAITING")], [BOB], [ADA, BOB]) == [ADA, BOB]


def test_the_table_has_a_line_for_each_job() -> None:
    rows = [
        row("ada", sent_at=NOW + timedelta(seconds=1.25)),
        row("bob", job_id=None, status="REFUSED", attempts=0),
    ]

    assert table(rows).splitlines() == [
        "job  user  status   attempts  seconds",
        "7    ada   SUCCESS  1         1.25",
        "-    bob   REFUSED  0         -",
    ]


def test_mails_that_share_a_file_are_counted_each_and_a_half_written_one_is_not(tmp_path: Path) -> None:
    end = f"\n{'-' * 79}\n"
    (tmp_path / "a.log").write_text(
        f"To: {ADA}\n\nHello{end}To: {BOB}\n\nHello{end}To: eve@example.org\n\nHel"
    )

    assert outbox.recipients(tmp_path) == [ADA, BOB]


def test_no_outbox_is_no_mail(tmp_path: Path) -> None:
    assert outbox.recipients(tmp_path / "outbox") == []
