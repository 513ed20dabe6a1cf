"""What `add_many` returned keeps its jobs findable: as long as somebody holds the list, they are remembered."""

import weakref
from collections.abc import Iterable

from yao_tasks.core.jobs import Job


class JobIds(list[int]):
    """The ids that `add_many` answers, in the order of the calls; 0 for one that was refused."""

    __slots__ = ("__weakref__", "jobs")

    def __init__(self, ids: Iterable[int] = (), jobs: dict[int, Job] | None = None) -> None:
        super().__init__(ids)
        # None in a copy that somebody makes by the type, as Django does for a lookup with `__in`.
        self.jobs = {} if jobs is None else jobs

    def __reduce__(self) -> tuple[type[list[int]], tuple[list[int]]]:
        # A copy, in a cache perhaps, is a plain list: it keeps no jobs, and no arguments.
        return list, (list(self),)

    def __hash__(self) -> int:  # type: ignore[override]
        # By identity: a weak set asks for it.
        return id(self)

    def __eq__(self, other: object) -> bool:
        return list.__eq__(self, other) is True


class Batches:
    """The lists that somebody still holds. Any thread may call any method."""

    def __init__(self) -> None:
        self._held: dict[int, weakref.ref[JobIds]] = {}

    def keep(self, ids: JobIds) -> None:
        """Find the jobs of this list from now on."""
        key = id(ids)
        # The callback may run anywhere, even in the middle of a look: it takes no lock.
        self._held[key] = weakref.ref(ids, lambda _: self._held.pop(key, None))

    def replace(self, old: Job, new: Job) -> None:
        """A failed job is tried again: lists that keep it found keep the new one."""
        for held in list(self._held.values()):
            ids = held()
            if ids is not None and ids.jobs.get(old.id) is old:
                ids.jobs[old.id] = new

    def find(self, job_id: int) -> Job | None:
        """A job of a list that is still held."""
        for held in list(self._held.values()):
            ids = held()
            if ids is not None and job_id in ids.jobs:
                return ids.jobs[job_id]
        return None
