"""What the tests of the journal share: a database of each vendor, and tasks that are recorded in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import Site, until
from tests.databases import known
from yao_tasks import boot, conf
from yao_tasks.models import JobOwner, JobRecord, PausedTask, WorkflowRecord
from yao_tasks.pools import Pool


@pytest.fixture
def journal(
    vendor_database: dict[str, Any], site: Site, settings: Any, django_db_blocker: Any
) -> Iterator[str]:
    """An empty journal of the site, in a database of each vendor. The database's alias."""
    with django_db_blocker.unblock(), known(vendor_database) as alias:
        settings.YAO_TASKS = {**settings.YAO_TASKS, "DATABASE": alias}
        conf.reset()
        yield alias
        boot.reset()
        for model in (JobRecord, JobOwner, PausedTask, WorkflowRecord):
            model.objects.using(alias).all().delete()


Recorded = Callable[..., Pool]


@pytest.fixture
def task(site: Site, journal: str) -> Recorded:
    """Make a task whose jobs are recorded, and answer its pool."""

    def make(handler: Callable[..., Any], task: str = "job", **keys: Any) -> Pool:
        return site.task(task, handler, record=True, **keys)

    return make


class Rows:
    """The rows in the database, as another process sees them."""

    def __init__(self, database: str) -> None:
        self.database = database

    def all(self) -> Any:
        return JobRecord.objects.using(self.database)

    def of(self, job_id: int) -> JobRecord | None:
        return self.all().filter(job_id=job_id).first()

    def until(self, job_id: int, **fields: Any) -> JobRecord:
        """The row of a job, as soon as it has these values."""
        row = until(lambda: self.all().filter(job_id=job_id, **fields).first(), f"job {job_id} with {fields}")
        assert isinstance(row, JobRecord)
        return row


@pytest.fixture
def rows(journal: str) -> Rows:
    """The rows in the database."""
    return Rows(journal)


def written() -> None:
    """Wait until all that has happened is written."""
    assert boot.house().home.journal.flush(20)


def forget() -> None:
    """Have memory forget all ended jobs, as a restart does."""
    for engine in boot.house().engines.values():
        engine.life.ended.clear()  # type: ignore[attr-defined]
        engine.retention.successes.clear()  # type: ignore[attr-defined]
        engine.retention.failures.clear()  # type: ignore[attr-defined]
