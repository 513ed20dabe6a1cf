"""A search looks at no more jobs than it has to."""

import pytest

from tests.conftest import Site
from yao_tasks.engines import search as searching

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
