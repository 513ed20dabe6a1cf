"""A search looks at no more jobs than it has to."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Site, until
from yao_tasks import boot
from yao_tasks.core.jobs import HELD, Job
from yao_tasks.core.queries import Query
from yao_tasks.engines import search as searching
from yao_tasks.engines.looking import Looking

STATUSES = {"WAITING": 5, "RUNNING": 1, "SUCCESS": 2, "FAILURE": 2}


@pytest.mark.parametrize("status", STATUSES)
def test_a_search_by_status_looks_only_where_such_jobs_are(
    status: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    of_status = searching._of_status
    gate = site.gate()

    def handler(job_id: int, kind: str) -> None:
        if kind == "bad":
            raise ValueError("bad")
        if kind == "slow":
            gate(job_id)

    pool = site.task("mail", handler, worker_nums=1)
    for kind in ("good", "bad"):
        pool.wait(pool.add(kind), 5)
    pool.add_many([("slow",)] * 5)
    gate.entered()
    monkeypatch.setattr(
        searching, "_of_status", lambda jobs, status: looked.append(len(jobs)) or of_status(jobs, status)
    )

    found = pool.search(status=status)

    assert {info.status for info in found} == {status}
    assert looked == [STATUSES[status]]


QUERIES = [
    Query(),
    Query(order="added_at", limit=3),
    Query(order="-ended_at"),
    Query(order="ended_at", offset=2),
    *(Query(status=status) for status in STATUSES),
    Query(kind="raised"),
    Query(phase="ready"),
    Query(phase="delayed"),
    Query(phase="retrying"),
    Query(since=datetime.now(UTC) - timedelta(hours=1), order="added_at"),
]


@pytest.mark.parametrize("seed", range(3))
def test_a_page_that_is_asked_for_again_is_what_a_search_finds(
    seed: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens in between: also what leaves as many jobs as before."""
    chance, known, held = random.Random(seed), [0], [Job(1, (), {}, 0.0, 0.0)]
    gate = site.gate()

    def handler(job_id: int, what: str) -> None:
        if what == "bad":
            raise ValueError("bad")
        if what == "slow":
            gate(job_id)

    pool = site.task("mail", handler, attempts=1, attempt_after=600_000, size=1_000)
    engine = boot.engine("mail")
    assert isinstance(engine, Looking)
    life = engine.life
    monkeypatch.setattr(searching, "PAGES", len(QUERIES))

    def agree(query: Query) -> bool:
        # Workers go on meanwhile. What is wrong when nothing happens any more stays wrong.
        return engine.pages.page(query) == searching.search(life, query)

    def retry() -> None:
        if failures := pool.search(status="FAILURE"):
            pool.retry(chance.choice(failures).id)

    def hold() -> None:
        """As in a transaction: one comes, and perhaps the one before it never was."""
        job = Job(held[-1].id + 1, (), {}, 0.0, chance.random())
        life.admit(job, HELD)
        if chance.random() < 0.5:
            life.drop(held[-1])
        held.append(job)

    life.admit(held[0], HELD)
    deeds = [
        lambda: known.append(pool.add(chance.choice(["good", "bad", "slow"]))),
        lambda: known.append(pool.using(run_after=600).add("good")),
        lambda: pool.cancel(chance.choice(known[1:] or [1])),
        retry,
        hold,
        pool.pause,
        pool.resume,
    ]
    for _ in range(100):
        chance.choice(deeds)()
        for query in QUERIES:
            until(lambda query=query: agree(query), f"a page of {query}", seconds=0.5)


def test_a_page_is_sorted_once_while_nothing_happens(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sorted_ones: list[str] = []
    ordered = searching._ordered
    pool = site.task("mail", site.gate(), worker_nums=1)
    pool.pause()
    pool.add_many([()] * 5)
    monkeypatch.setattr(
        searching, "_ordered", lambda jobs, order: sorted_ones.append(order) or ordered(jobs, order)
    )

    first, again = pool.search(), pool.search()
    pool.add()
    third = pool.search()

    assert [info.id for info in again] == [info.id for info in first]
    assert len(third) == 6
    assert len(sorted_ones) == 2
