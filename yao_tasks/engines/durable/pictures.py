"""`pool.jobs` of a durable task: the live jobs of all processes, as a read-only mapping over their rows."""

from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence, ValuesView

from yao_tasks.core.errors import JobNotFound
from yao_tasks.core.jobs import JobInfo
from yao_tasks.journal import reading
from yao_tasks.journal.durable import counts

# Rows that are drawn at once.
SLICE = 500


class RowsOfTask(Mapping[int, JobInfo]):
    """id -> JobInfo of the WAITING and RUNNING jobs, oldest first. Each look asks the database."""

    def __init__(self, database: str, tasks: Sequence[str], get: Callable[[int], JobInfo]) -> None:
        self._rows = counts.live(database, tasks)
        self._get = get

    def __getitem__(self, job_id: int) -> JobInfo:
        try:
            info = self._get(job_id)
        except JobNotFound:
            raise KeyError(job_id) from None
        return info

    def __contains__(self, job_id: object) -> bool:
        return type(job_id) is int and self._rows.filter(job_id=job_id).exists()

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._rows.order_by("pk").values_list("job_id", flat=True)))

    def __len__(self) -> int:
        return self._rows.count()

    def values(self) -> ValuesView[JobInfo]:
        """The pictures."""
        return _Values(self)

    def items(self) -> ItemsView[int, JobInfo]:
        """The ids with the pictures."""
        return _Items(self)

    def pictures(self) -> Iterator[JobInfo]:
        """A picture of each."""
        for row in self._rows.order_by("pk").iterator(SLICE):
            yield reading.draw(row)


class _Values(ValuesView[JobInfo]):
    _mapping: RowsOfTask

    def __iter__(self) -> Iterator[JobInfo]:
        return self._mapping.pictures()


class _Items(ItemsView[int, JobInfo]):
    _mapping: RowsOfTask

    def __iter__(self) -> Iterator[tuple[int, JobInfo]]:
        return ((info.id, info) for info in self._mapping.pictures())
