"""What rows and mails say together: all is well, not yet, or never."""

from collections import Counter
from collections.abc import Callable, Sequence

from demo_project.accounts.models import WelcomeMail

Rows = Callable[[], Sequence[WelcomeMail]]
Status = WelcomeMail.Status
HEADINGS = ("job", "user", "status", "attempts", "seconds")


def trouble(rows: Sequence[WelcomeMail], arrived: Sequence[str], addresses: Sequence[str]) -> str | None:
    """What no waiting will mend, as a sentence; else None."""
    for row in rows:
        if row.status in (Status.FAILURE, Status.REFUSED):
            return f"The mail to {row.user.email} was not sent: {row.error}"
    for address, times in Counter(arrived).items():
        if address not in addresses:
            return f"A mail went to {address}, who did not sign up."
        if times > 1:
            return f"{address} got {times} mails instead of one."
    return None


def missing(rows: Sequence[WelcomeMail], arrived: Sequence[str], addresses: Sequence[str]) -> list[str]:
    """Who has no mail yet, or a row that doesn't know of it yet."""
    known = {row.user.email for row in rows if row.status == Status.SUCCESS}
    return [address for address in addresses if address not in arrived or address not in known]


def table(rows: Sequence[WelcomeMail]) -> str:
    """The jobs for people: a line each, in columns."""
    lines = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(_columns(line, widths) for line in lines)


def _columns(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cells(row: WelcomeMail) -> tuple[str, ...]:
    seconds = f"{(row.sent_at - row.created_at).total_seconds():.2f}" if row.sent_at else "-"
    return (str(row.job_id or "-"), row.user.get_username(), row.status, str(row.attempts), seconds)
