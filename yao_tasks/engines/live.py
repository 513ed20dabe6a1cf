"""`pool.jobs`: the live jobs of a pool as a read-only mapping."""

from collections.abc import ItemsView, Iterator, Mapping, ValuesView

from yao_tasks.core.jobs import SUCCEEDED, Job, JobInfo, draw
from yao_tasks.core.lifecycle import Lifecycle


class LiveJobs(Mapping[int, JobInfo]):
    """id -> JobInfo of the WAITING and RUNNING jobs, oldest first.

    Iterating walks over a snapshot, and what it named can be asked for afterwards: a job that has ended
    meanwhile is shown as it is then (`values` and `items` leave it out). Pictures are drawn when asked for.
    """

    def __init__(self, life: Lifecycle) -> None:
        self._life = life
        self._named: dict[int, Job] = {}

    def __getitem__(self, job_id: int) -> JobInfo:
        job = self._life.jobs.get(job_id) or self._named.get(job_id)
        if job is None:
            raise KeyError(job_id)
        return draw(job, self._life.task, self._life.lock)

    def __contains__(self, job_id: object) -> bool:
        # Without a picture.
        return job_id in self._life.jobs or job_id in self._named

    def __iter__(self) -> Iterator[int]:
        # One call that no other thread can interrupt.
        self._named = dict(self._life.jobs)
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._life.jobs)

    def values(self) -> ValuesView[JobInfo]:
        """The pictures."""
        return _Values(self)

    def items(self) -> ItemsView[int, JobInfo]:
        """The ids with the pictures."""
        return _Items(self)

    def snapshot(self) -> list[Job]:
        """The jobs themselves, as of now."""
        return list(self._life.jobs.values())

    def pictures(self) -> Iterator[JobInfo]:
        """A picture of each job of a snapshot that is still alive when its turn comes."""
        for job in self.snapshot():
            info = draw(job, self._life.task, self._life.lock)
            if job.status < SUCCEEDED:
                yield info


class _Values(ValuesView[JobInfo]):
    _mapping: LiveJobs

    def __iter__(self) -> Iterator[JobInfo]:
        return self._mapping.pictures()


class _Items(ItemsView[int, JobInfo]):
    _mapping: LiveJobs

    def __iter__(self) -> Iterator[tuple[int, JobInfo]]:
        return ((info.id, info) for info in self._mapping.pictures())
