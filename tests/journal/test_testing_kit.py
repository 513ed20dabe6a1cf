"""History in a project's own tests."""

from tests.conftest import Site
from tests.journal.conftest import Rows
from yao_tasks.models import JobStatus
from yao_tasks.testing import captured_tasks, drained_tasks, inline_tasks


def test_drained_tasks_have_written_their_rows(site: Site, journal: str, rows: Rows) -> None:
    pool = site.task("job", lambda job_id: "done", record=True)

    with drained_tasks():
        job_id = pool.add()

    row = rows.of(job_id)
    assert row is not None
    assert row.status == JobStatus.SUCCESS


def test_captured_and_inline_tasks_write_at_once(site: Site, journal: str, rows: Rows) -> None:
    pool = site.task("job", lambda job_id: "done", record=True)

    with captured_tasks() as jobs:
        captured = pool.add()
        assert rows.until(captured, status=JobStatus.WAITING)
        jobs.run_pending()
        assert rows.until(captured, status=JobStatus.SUCCESS)
    with inline_tasks():
        assert rows.until(pool.add(), status=JobStatus.SUCCESS, result='"done"')
