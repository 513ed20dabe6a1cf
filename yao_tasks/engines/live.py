"""`pool.jobs`: the live jobs of a pool as a read-only mapping."""

from collections.abc import ItemsView, Iterator, Mapping, ValuesView

from yao_tasks.core.jobs import SUCCEEDED, Job, JobInfo, draw
from yao_tasks.core.lifecycle import Lifecycle


class LiveJobs(Mapping[int, JobInfo]):
    """id -> JobInfo of the WAITING and RUNNING jobs, oldest first.

    Iterating walks over a snapshot: jobs that end meanwhile are left out, and nothing raises. Pictures are
    drawn as they are asked for.
    """

    def __init__(self, life: Lifecycle) -> None:
        self._life = life

    def __getitem__(self, job_id: int) -> JobInfo:
        job = self._life.jobs.get(job_id)
        info = job and draw(job, self._life.lock)
        if not info or info.is_finished:
            raise KeyError(job_id)
        return info

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._life.jobs))

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
            info = draw(job, self._life.lock)
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
