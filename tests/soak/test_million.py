"""The dashboard with 100,000 live jobs and 1,000,000 rows: as quick as with 1,000 rows, and no more queries.

`pytest -m soak -s tests/soak/test_million.py` prints what each page took.
"""

import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.conftest import Site
from tests.databases import database, known
from tests.django.dashboard import client_of
from tests.million import long_history
from yao_tasks import boot, conf
from yao_tasks.models import JobOwner, JobRecord
from yao_tasks.pools import tasks

pytestmark = [pytest.mark.soak, pytest.mark.django_db(transaction=True)]

FEW, MANY, LIVE = 1_000, 1_000_000, 100_000
TIMES = 7
# Whatever else the machine does; a look at all rows makes a page ten times as costly.
SLOWER = 3.0
# A round of adding, and how often the dashboard asks meanwhile (s).
ROUND, REFRESH = 6.0, 2.0
# So many refreshes tell what an idle page costs.
IDLE = 20
URL = "/admin/yao_tasks/dashboard/"
HISTORY = "/admin/yao_tasks/jobrecord/"
PAGES = {
    "overview": URL,
    "jobs": f"{URL}jobs/",
    "jobs of a task": f"{URL}jobs/?task=mail",
    "failed": f"{URL}jobs/?status=failed",
    "timed out": f"{URL}jobs/?kind=timeout",
    "lost: none": f"{URL}jobs/?task=mail&kind=lost",
    "succeeded": f"{URL}jobs/?status=succeeded",
    "waiting": f"{URL}jobs/?status=waiting",
    "a task without jobs": f"{URL}jobs/?task=rare&order=-ended_at",
    "by end": f"{URL}jobs/?order=-ended_at",
    "by end, oldest first": f"{URL}jobs/?order=ended_at",
    "oldest first": f"{URL}jobs/?order=added_at",
    "page 20": f"{URL}jobs/?page=20",
    "the last page": f"{URL}jobs/?task=mail&page=999999",
    "text": f"{URL}jobs/?q=zzzz",
    "text, further back": f"{URL}jobs/?q=zzzz&back=30",
    "id": f"{URL}jobs/?q=id:500",
    "job": f"{URL}mail/500/",
    "pool": f"{URL}mail/pool/",
    "processes": f"{URL}processes/",
    "history": HISTORY,
    "history, failed": f"{HISTORY}?status__exact=4",
    "history, a task": f"{HISTORY}?task=mail",
    "history, text": f"{HISTORY}?q=zzzz",
    "history, id": f"{HISTORY}?q=500",
    "history, page 100": f"{HISTORY}?p=20",
}


class Look(NamedTuple):
    """What a page took: ms at the median, what it costs (ms), queries, bytes."""

    wall: float
    cost: float
    """The process's own time, and that of the queries where another process answers them."""
    queries: int
    size: int


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(
    request: pytest.FixtureRequest, site: Site, settings: Any, tmp_path: Path, django_db_blocker: Any
) -> Iterator[str]:
    """An empty journal of the site, whose rows are pruned by nobody. The database's alias."""
    with (
        django_db_blocker.unblock(),
        database(request.param, tmp_path) as config,
        known(config) as alias,
    ):
        settings.YAO_TASKS = {
            **settings.YAO_TASKS,
            "DATABASE": alias,
            "RECORD_MAX": 10 * MANY,
            "RECORD_DAYS": 3_000,
        }
        conf.reset()
        yield alias
        boot.reset()


def looked(client: Client, url: str, alias: str) -> Look:
    assert client.get(url).status_code == 200, url
    walls, owns, asked = [], [], []
    for _ in range(TIMES):
        began, own = time.perf_counter(), time.process_time()
        answer = client.get(url)
        walls.append((time.perf_counter() - began) * 1000)
        owns.append((time.process_time() - own) * 1000)
        with CaptureQueriesContext(connections[alias]) as queries:
            client.get(url)
        # Counts are asked for once in a while.
        counted = sum("COUNT(" in one["sql"] and "GROUP BY" in one["sql"] for one in queries)
        asked.append((len(queries) - counted, sum(float(one["time"]) for one in queries) * 1000))
    elsewhere = 0.0 if connections[alias].vendor == "sqlite" else min(one[1] for one in asked)
    return Look(
        wall=statistics.median(walls),
        cost=statistics.median(owns) + elsewhere,
        queries=min(one[0] for one in asked),
        size=len(answer.content),
    )


def lived(site: Site) -> None:
    """Half of the live jobs are recorded, half are not."""
    site.task("report", lambda job_id, number: None, size=LIVE)
    site.task("rare", lambda job_id: None, record=True)
    site.task("mail", lambda job_id, number: None, record=True, size=LIVE)
    for name in ("report", "mail"):
        tasks[name].pause()
        tasks[name].using(on_commit=False).add_many([(number,) for number in range(LIVE // 2)])
    assert boot.house().home.journal.flush(300)


def test_a_million_rows_make_no_page_slower(site: Site, journal: str) -> None:
    client = client_of(User.objects.create_superuser("super"))
    lived(site)
    long_history(journal, "mail", FEW)
    few = {name: looked(client, url, journal) for name, url in PAGES.items()}
    long_history(journal, "mail", MANY - FEW, first_id=FEW + 1)
    if connections[journal].vendor == "postgresql":
        # As it does itself some time after so many rows.
        with connections[journal].cursor() as cursor:
            cursor.execute("ANALYZE")
    many = {name: looked(client, url, journal) for name, url in PAGES.items()}

    for name, look in many.items():
        print(
            f"{name:24} {few[name].cost:6.1f} ms -> {look.cost:6.1f} ms ({look.wall:6.1f} ms by the clock), "
            f"{look.queries:2} queries, {look.size / 1000:5.0f} kB"
        )
    assert JobRecord.objects.using(journal).count() == MANY + LIVE // 2
    slower = {name: (few[name], look) for name, look in many.items() if look.cost > SLOWER * few[name].cost}
    assert slower == {}
    # A text is looked for as long as there is time.
    steady = [name for name in PAGES if "text" not in name]
    assert [many[name].queries for name in steady] == [few[name].queries for name in steady]
    assert max(look.size for look in many.values()) < 200_000
    assert JobOwner.objects.using(journal).count() == 3


def test_an_idle_dashboard_costs_next_to_nothing(site: Site, journal: str) -> None:
    """With 100,000 live jobs and a million rows, refreshed every 2 s: less than a hundredth of a core."""
    client = client_of(User.objects.create_superuser("super"))
    lived(site)
    added = time.monotonic()
    long_history(journal, "mail", MANY)
    shares = {}
    for name in ("", "jobs/", "processes/", "mail/pool/"):
        # What is counted once for minutes.
        client.get(f"{URL}{name}fragment/")
    # Of late, waits are told to the second.
    time.sleep(max(0.0, 60 - (time.monotonic() - added)))

    for name in ("", "jobs/", "processes/", "mail/pool/"):
        url, own, codes = f"{URL}{name}fragment/", 0.0, []
        etag = client.get(url)["ETag"]
        for _ in range(IDLE):
            time.sleep(REFRESH)
            began = time.process_time()
            answer = client.get(url, headers={"If-None-Match": etag})
            own += time.process_time() - began
            codes.append(answer.status_code)
            etag = answer["ETag"]
        shares[name] = own / IDLE / REFRESH
        assert codes.count(304) >= 0.7 * IDLE, name

    print({name: f"{share:.2%}" for name, share in shares.items()})
    assert max(shares.values()) < 0.01


def test_an_open_dashboard_slows_a_producer_by_less_than_a_twentieth(
    site: Site, transactional_db: None
) -> None:
    """Refreshed every 2 s while a producer adds as fast as it can: what it takes, it takes from the producer."""
    client = client_of(User.objects.create_superuser("super"))
    pool = site.task("mail", lambda job_id: None, size=1_000, overflow="wait", worker_nums=4)
    rates: dict[bool, list[float]] = {True: [], False: []}
    shares = []

    for is_open in [False, True] * 3:
        own, added, until = 0.0, 0, time.monotonic() + ROUND
        refreshing = threading.Event()

        def refresh(stop: threading.Event = refreshing) -> None:
            nonlocal own
            while not stop.is_set():
                client.get(f"{URL}fragment/")
                stop.wait(REFRESH)
            own = time.thread_time()
            connections.close_all()

        thread = threading.Thread(target=refresh) if is_open else None
        if thread is not None:
            thread.start()
        while time.monotonic() < until:
            pool.using(on_commit=False).add()
            added += 1
        refreshing.set()
        if thread is not None:
            thread.join()
            shares.append(own / ROUND)
        rates[is_open].append(added / ROUND)

    closed, opened = (statistics.median(rates[is_open]) for is_open in (False, True))
    print(
        f"{closed:,.0f} adds a second, with an open dashboard {opened:,.0f} ({1 - opened / closed:.1%} less); "
        f"of the interpreter's time it takes {', '.join(f'{share:.1%}' for share in shares)}"
    )
    # By its own time: what else the machine does moves the rates by more than this.
    assert statistics.median(shares) < 0.05
