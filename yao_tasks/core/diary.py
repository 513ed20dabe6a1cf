"""What this process remembers of jobs beside their state: lines that were logged in them, runs that failed.

    diary.write("mail", 17, Line(...))    a line of job 17
    diary.lines("mail", 17)               its last 200
    diary.search("task_17", 20)           the newest lines of all jobs that fit

Bounded in all: the job that was written about first is forgotten first.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import count, islice
from threading import RLock
from typing import Any

from yao_tasks.core.jobs import JobError

# What a page shows of a job.
LINES = 200
ATTEMPTS = 20
# A line that is longer is cut: a page is no place for an essay, the log has all of it.
LINE_LENGTH = 2_000
# Characters in all: some megabytes, whatever is logged.
MOST = 8 * 2**20
# What an entry takes beside its text.
OVERHEAD = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that was logged in a job, or about it."""

    at: float
    """Seconds since 1970."""
    level: str
    logger: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run that failed. Moments are of the monotonic clock, measured from the moment at which the job was added."""

    number: int
    started: float
    ended: float
    worker: str
    error: JobError


@dataclass(slots=True)
class _Page:
    lines: deque[tuple[int, Line]]
    attempts: deque[Attempt]
    size: int = 0


class Diary:
    """Any thread may call any method; nothing foreign is called."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        # (task, job id) -> what is known of it, in the order in which they came.
        self._pages: dict[tuple[str, int], _Page] = {}
        self._size = 0
        self._numbers = count()
        # Guards all of these. Reentrant: a finalizer that logs may come while something is made in here.
        self._guard = RLock()

    def write(self, task: str, job_id: int, line: Line) -> None:
        """Remember a line of a job."""
        with self._guard:
            page = self._page(task, job_id)
            if len(page.lines) >= LINES:
                self._count(page, -_size_of_line(page.lines.popleft()[1]))
            page.lines.append((next(self._numbers), line))
            self._count(page, _size_of_line(line))
            self._forget()

    def note(self, task: str, job_id: int, attempt: Attempt) -> None:
        """Remember a run that failed."""
        with self._guard:
            page = self._page(task, job_id)
            if len(page.attempts) >= ATTEMPTS:
                self._count(page, -_size_of_attempt(page.attempts.popleft()))
            page.attempts.append(attempt)
            self._count(page, _size_of_attempt(attempt))
            self._forget()

    def lines(self, task: str, job_id: int) -> list[Line]:
        """The job's last lines, the oldest first."""
        with self._guard:
            page = self._pages.get((task, job_id))
            return [] if page is None else [line for _, line in page.lines]

    def attempts(self, task: str, job_id: int) -> list[Attempt]:
        """The job's last failed runs, the oldest first."""
        with self._guard:
            page = self._pages.get((task, job_id))
            return [] if page is None else list(page.attempts)

    def search(self, keyword: str, limit: int) -> list[dict[str, Any]]:
        """The newest lines of all jobs that hold the keyword, as dicts; `task_<id>` means all of that job's."""
        sought = keyword.casefold()
        whole = sought.removeprefix("task_") if sought.startswith("task_") else ""
        found = (
            {"task": task, "job": job_id, **{field.name: getattr(line, field.name) for field in fields(line)}}
            for task, job_id, line in self._newest()
            if str(job_id) == whole or sought in line.text.casefold()
        )
        return list(islice(found, max(0, limit)))

    def clear(self) -> None:
        """Forget all: in a forked child, whose jobs are others."""
        self.__init__(self.most)  # type: ignore[misc]

    def _newest(self) -> Iterator[tuple[str, int, Line]]:
        with self._guard:
            all_lines = [
                (number, *key, line) for key, page in self._pages.items() for number, line in page.lines
            ]
        all_lines.sort(key=lambda one: one[0], reverse=True)
        return ((task, job_id, line) for _, task, job_id, line in all_lines)

    def _page(self, task: str, job_id: int) -> _Page:
        key = (task, job_id)
        if key not in self._pages:
            self._pages[key] = _Page(deque(), deque())
        return self._pages[key]

    def _count(self, page: _Page, size: int) -> None:
        page.size += size
        self._size += size

    def _forget(self) -> None:
        while self._size > self.most and len(self._pages) > 1:
            self._size -= self._pages.pop(next(iter(self._pages))).size


def _size_of_line(line: Line) -> int:
    return OVERHEAD + len(line.text)


def _size_of_attempt(attempt: Attempt) -> int:
    return OVERHEAD + len(attempt.error.message) + len(attempt.error.traceback)


diary = Diary()
