"""`pool.jobs` of a durable task: the live jobs of all processes, as a read-only mapping over their rows."""

from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence, ValuesView

from yao_tasks.core.errors import BadJobId, JobNotFound
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
        # What iterating has named can be asked for, though it has ended meanwhile.
        self._named: dict[int, None] = {}

    def __getitem__(self, job_id: int) -> JobInfo:
        try:
            info = self._get(job_id)
        except (JobNotFound, BadJobId):
            raise KeyError(job_id) from None
        if info.is_finished and job_id not in self._named:
            raise KeyError(job_id)
        return info

    def __contains__(self, job_id: object) -> bool:
        return type(job_id) is int and self._rows.filter(job_id=job_id).exists()

    def __iter__(self) -> Iterator[int]:
        self._named = dict.fromkeys(self._rows.order_by("pk").values_list("job_id", flat=True))
        return iter(self._named)

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
