"""`manage.py demo --check`: twenty visitors sign up over HTTP, and twenty mails must arrive."""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo_project.checking import outbox
from demo_project.checking.copy import Copy
from demo_project.checking.failed import CheckFailed as CheckFailed
from demo_project.checking.verdict import Rows, missing, table, trouble
from demo_project.checking.visitor import Visitor

PEOPLE = 20
# How many sign up at the same time: enough to see that they don't get into each other's way.
AT_ONCE = 4


def check(wait: float, say: Callable[[str], object]) -> None:
    """Try a temporary copy of the site; `say` gets what a person should read.

    `wait`: seconds for the mails, from the last sign-up on. Raises CheckFailed with the reason.
    """
    with tempfile.TemporaryDirectory(prefix="yao_tasks-demo-") as folder, Copy(Path(folder)) as site:
        say(f"A copy of the site runs at {site.address}; {PEOPLE} people sign up.")
        visitors = [Visitor(site.address, f"visitor{number:02}") for number in range(1, PEOPLE + 1)]
        with ThreadPoolExecutor(AT_ONCE) as crowd:
            list(crowd.map(Visitor.sign_up, visitors))
        with site.rows() as rows:
            reason = _watch(site, rows, [visitor.email for visitor in visitors], wait)
            say(table(rows()))
        if reason:
            raise CheckFailed(reason)
        say(f"All {PEOPLE} mails have arrived.")


def _watch(site: Copy, rows: Rows, addresses: list[str], wait: float) -> str | None:
    """Wait for the mails. None when all is well, else the reason why not."""
    deadline = time.monotonic() + wait
    while True:
        late = time.monotonic() >= deadline
        mails, arrived = rows(), outbox.recipients(site.outbox)
        if found := trouble(mails, arrived, addresses):
            return found
        absent = missing(mails, arrived, addresses)
        if not absent:
            return None
        if late:
            return (
                f"After {wait:g} s {len(absent)} of {len(addresses)} mails are missing: {', '.join(absent)}."
            )
        time.sleep(0.1)
