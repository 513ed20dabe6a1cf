"""The examples of workflows.md do what the words around them say."""

from typing import Any

import pytest

from tests.conftest import SECONDS, Site
from tests.docs.test_examples import example, run
from yao_tasks.workflows import Workflow


def test_a_chains_steps_follow_one_another(site: Site) -> None:
    order: list[tuple[Any, ...]] = []
    site.task("validate", lambda job_id, user: order.append(("validate", user)) or 12)
    site.task("charge", lambda job_id, amount, currency: order.append(("charge", amount, currency)))
    site.task("ship", lambda job_id, user: order.append(("ship", user)))

    names = run(example("workflows.md", "Chains"))

    assert names["order"].wait(SECONDS).status == "SUCCESS"
    assert order == [("validate", "u1"), ("charge", 12, "EUR"), ("ship", "u1")]


def test_a_group_is_joined(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.task("render_page", lambda job_id, number: f"page {number}")
    site.task("bind_book", lambda job_id, pages, name: f"{name}: {', '.join(pages)}")

    run(example("workflows.md", "Groups"))

    assert capsys.readouterr().out == "book.pdf: page 1, page 2, page 3\n"


def test_a_batch_is_counted_and_looked_at(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    reports: list[dict[str, int]] = []

    def import_row(job_id: int, number: int, text: str) -> None:
        if number % 100 == 7:
            raise ValueError(text)

    site.task("import_row", import_row, size=1_000, attempts=0)
    site.task("report", lambda job_id, counts: reports.append(counts))

    names = run(example("workflows.md", "Batches"))
    rows: Workflow = names["rows"]
    done = rows.wait(SECONDS)
    looked = run(example("workflows.md", "Looking, waiting, stopping"), workflow_id=rows.id)

    assert "'SUCCESS'" in capsys.readouterr().out
    assert reports == [{"WAITING": 0, "RUNNING": 0, "SUCCESS": 990, "FAILURE": 10}]
    assert looked["info"] == done
