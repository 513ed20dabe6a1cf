"""The live jobs, a page at a time: only those of the page that is asked for are drawn."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext

from yao_tasks.core.definitions import Definition
from yao_tasks.core.jobs import RUNNING_NAME, WAITING_NAME, JobInfo
from yao_tasks.dashboard.amounts import amount_of
from yao_tasks.dashboard.counts import Counts
from yao_tasks.dashboard.durations import duration, limit, waited
from yao_tasks.dashboard.readings import Reading
from yao_tasks.dashboard.statuses import moment_of, status_of

PER_PAGE = 50
# So many running jobs of a pool, four pages of them, are put before those that wait; further ones stand in
# their places among these. A pool may have 1,000 workers.
FIRST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One line of the table of jobs."""

    id: int
    task: str
    name: str
    phase: str
    """`running`, `retrying`, `delayed` or `waiting`: names the icon, too."""
    status: str
    """The phase in the reader's words."""
    has_bar: bool
    percent: int
    amount: str
    message: str
    attempt: str
    moment: datetime
    """What `elapsed` is measured from; for a retry, when it is due."""
    elapsed: str
    limit: str
    """The timeout of a run; empty for a job that doesn't run."""
    worker: str
    can_cancel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A page of live jobs, with its number (from 1) and where it stands among all."""

    rows: list[JobRow]
    number: int
    pages: int
    total: int
    """How many there are to leaf through."""
    running: int
    waiting: int

    @property
    def first(self) -> int:
        """The place of the page's first job, from 1."""
        return (self.number - 1) * PER_PAGE + 1

    @property
    def last(self) -> int:
        """The place of the page's last job."""
        return min(self.number * PER_PAGE, self.total)

    @property
    def before(self) -> int:
        """The number of the page before, 0 on the first."""
        return self.number - 1

    @property
    def after(self) -> int:
        """The number of the page after, 0 on the last."""
        return self.number + 1 if self.number < self.pages else 0


class _Place(NamedTuple):
    """A job's place in the list: `info` is its picture where one was drawn already."""

    reading: Reading
    job_id: int
    info: JobInfo | None


class _Look(NamedTuple):
    """One pool's live jobs: pictures of the first that run and that wait, and the ids of this memory's."""

    reading: Reading
    first: dict[int, JobInfo]
    then: dict[int, JobInfo]
    ids: Collection[int]
    running: int
    waiting: int

    @property
    def total(self) -> int:
        """How many there are to leaf through."""
        if not self.reading.is_recorded:
            return len(self.ids)
        return len(self.ids) + sum(job_id not in self.ids for job_id in {*self.first, *self.then})


def job_page(readings: Iterable[Reading], counts: Counts, wanted: str, *, may_operate: bool) -> JobPage:
    """The page whose number the query string gives, or the nearest there is; running jobs come first."""
    looks = [_look(reading, counts.of(reading)) for reading in readings]
    total = sum(look.total for look in looks)
    pages = max(1, -(-total // PER_PAGE))
    number = page_number(wanted, pages)
    first = (number - 1) * PER_PAGE
    places = itertools.islice(_in_order(looks), first, first + PER_PAGE)
    now = timezone.now()
    return JobPage(
        rows=[job_row(reading, info, now, may_operate=may_operate) for reading, info in _drawn(places)],
        number=number,
        pages=pages,
        total=total,
        running=sum(look.running for look in looks),
        waiting=sum(look.waiting for look in looks),
    )


def page_number(wanted: str, pages: int) -> int:
    """A number from the query string, brought between 1 and `pages`; 1 for what is no number."""
    # Nine digits are more pages than there can be, and no work to read.
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 9):
        return 1
    return max(1, min(int(wanted), pages))


def _look(reading: Reading, counts: Mapping[str, int]) -> _Look:
    if not reading.is_recorded:
        jobs, now = reading.jobs, reading.metrics["running"]
        drawn = _first(reading, RUNNING_NAME) if now and "search" in reading.supports else {}
        return _Look(reading, drawn, {}, jobs, running=now, waiting=max(0, len(jobs) - now))
    # Those of other processes, too: whichever answers tells the same.
    first, then = _first(reading, RUNNING_NAME), _first(reading, WAITING_NAME)
    # All jobs of a durable task are rows: those beyond the first are in the list of jobs.
    ids: Collection[int] = () if "durable" in reading.supports else reading.jobs
    waiting = sum(counts.get(key, 0) for key in ("waiting", "retrying", "delayed"))
    return _Look(
        reading,
        first,
        then,
        ids,
        running=len(first) if len(first) < FIRST else max(FIRST, counts.get("running", 0)),
        waiting=len(then) if len(then) < FIRST else max(FIRST, waiting, len(ids) - len(first)),
    )


def _first(reading: Reading, status: str) -> dict[int, JobInfo]:
    """Pictures of the pool's jobs that run or wait, the oldest first."""
    found = reading.pool.search(status=status, order="added_at", limit=FIRST)
    return {info.id: info for info in found}


def _in_order(looks: Sequence[_Look]) -> Iterator[_Place]:
    for look in looks:
        yield from (_Place(look.reading, job_id, info) for job_id, info in look.first.items())
    for look in looks:
        yield from (_Place(look.reading, job_id, info) for job_id, info in look.then.items())
        drawn = {**look.first, **look.then}
        yield from (_Place(look.reading, job_id, None) for job_id in look.ids if job_id not in drawn)


def _drawn(places: Iterable[_Place]) -> Iterator[tuple[Reading, JobInfo]]:
    for reading, job_id, drawn in places:
        info = drawn or reading.jobs.get(job_id)
        # It may have ended since the list was made.
        if info is not None and not info.is_finished:
            yield reading, info


def job_row(reading: Reading, info: JobInfo, now: datetime, *, may_operate: bool) -> JobRow:
    """The job's line, as of `now`."""
    config = reading.config
    (phase, status), moment = status_of(info), moment_of(info)
    return JobRow(
        id=info.id,
        task=config.id,
        name=config.name,
        phase=phase,
        status=status,
        has_bar=info.total > 0,
        percent=info.percent,
        amount=amount_of(info),
        message=reading.redaction.hider(info)(info.message),
        attempt=_attempt(info, config),
        moment=moment,
        elapsed=_elapsed(phase, abs((now - moment).total_seconds()), now),
        limit=limit(config.timeout) if phase == "running" else "",
        worker=info.worker or "",
        can_cancel=may_operate and "cancel" in reading.supports,
    )


def _elapsed(phase: str, seconds: float, now: datetime) -> str:
    return waited(seconds, now) if phase == "waiting" else duration(seconds)


def _attempt(info: JobInfo, config: Definition) -> str:
    if not info.attempt:
        return ""
    return gettext("%(attempt)d of %(attempts)d") % {"attempt": info.attempt, "attempts": config.attempts + 1}
