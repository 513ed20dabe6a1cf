"""A job's life in steps: added, delayed, started, failed, tried again, ended."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from yao_tasks.core.diary import Attempt
from yao_tasks.core.jobs import FAILURE_NAME, RUNNING_NAME, WAITING_NAME, JobError, JobInfo
from yao_tasks.dashboard.durations import duration, measured
from yao_tasks.dashboard.statuses import failure, status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job. `ended` is None while it goes on, `error` where it didn't fail."""

    number: int
    started: datetime
    ended: datetime | None
    worker: str
    error: JobError | None

    def seconds(self, now: datetime) -> float:
        """How long it took, or takes so far."""
        return max(0.0, ((self.ended or now) - self.started).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `after`: how long after the one before, in words; empty for the first."""

    icon: str
    word: str
    moment: datetime | None
    """None for what goes on now: a page that says it would be another one each second."""
    after: str
    is_to_come: bool = False


def runs_of(info: JobInfo, attempts: Sequence[Attempt], recorded: Sequence[Run] = ()) -> list[Run]:
    """The runs that are known, in order: those that failed, and the current or last one.

    `attempts`: what memory remembers; `recorded`: what the job's row keeps.
    """
    runs = {one.number: one for one in recorded if one.number < info.attempt}
    runs |= {one.number: _failed(info, one) for one in attempts if one.number <= info.attempt}
    if info.attempt and info.started_at is not None and info.attempt not in runs:
        is_over = info.status != RUNNING_NAME
        error = info.error if info.status == FAILURE_NAME else None
        # A job that was cancelled between two runs has no run that ended so.
        if info.status != WAITING_NAME:
            runs[info.attempt] = Run(
                number=info.attempt,
                started=info.started_at,
                ended=info.ended_at if is_over else None,
                worker=info.worker or "",
                error=error,
            )
    return [runs[number] for number in sorted(runs)]


def recorded_runs(kept: Iterable[Mapping[str, Any]]) -> list[Run]:
    """The earlier runs that a row keeps; what was changed by hand into what can't be read is left out."""
    return [run for one in kept if (run := _recorded(one)) is not None]


def timeline(info: JobInfo, runs: Sequence[Run], now: datetime) -> list[Step]:
    """The steps so far, and the next one where its moment is known."""
    moments = list(_moments(info, runs))
    steps = []
    for place, (icon, word, moment) in enumerate(moments):
        is_now, seconds = moment is None, 0.0
        if place:
            seconds = max(0.0, ((moment or now) - (moments[place - 1][2] or now)).total_seconds())
        after = "" if not place else duration(seconds) if is_now else measured(seconds)
        is_to_come = moment is not None and moment > now
        steps.append(Step(icon=icon, word=word, moment=moment, after=after, is_to_come=is_to_come))
    return steps


def _recorded(kept: Mapping[str, Any]) -> Run | None:
    try:
        started = parse_datetime(kept["started"] or kept["ended"])
        ended = parse_datetime(kept["ended"] or kept["started"])
        number = int(kept["attempt"])
    except (KeyError, TypeError, ValueError):
        return None
    if started is None or ended is None or timezone.is_naive(started) or timezone.is_naive(ended):
        return None
    texts = {name: str(kept.get(name) or "") for name in ("type", "message", "traceback")}
    error = JobError(kind=str(kept.get("kind") or "raised"), **texts)
    return Run(number=number, started=started, ended=ended, worker=str(kept.get("worker") or ""), error=error)


def _failed(info: JobInfo, one: Attempt) -> Run:
    return Run(
        number=one.number,
        started=info.added_at + timedelta(seconds=one.started),
        ended=info.added_at + timedelta(seconds=one.ended),
        worker=one.worker,
        error=one.error,
    )


def _moments(info: JobInfo, runs: Sequence[Run]) -> Iterator[tuple[str, str, datetime | None]]:
    yield "waiting", gettext("Added"), info.added_at
    for run in runs:
        yield "running", gettext("Run %(number)d started") % {"number": run.number}, run.started
        # The end of the last run is that of the job, which follows.
        is_last = info.ended_at is not None and run.error == info.error
        if run.ended is not None and run.error is not None and not is_last:
            status = failure(run.error.kind)
            words = {"number": run.number, "status": status.word}
            yield status.icon, gettext("Run %(number)d: %(status)s") % words, run.ended
    if info.ended_at is not None:
        status = status_of(info)
        yield status.icon, status.word, info.ended_at
    elif info.due_at is not None:
        word = gettext("Next run") if info.attempt else gettext("Due")
        yield status_of(info).icon, word, info.due_at
    elif info.status == RUNNING_NAME:
        yield "running", gettext("Still running"), None
    elif info.status == WAITING_NAME:
        yield "waiting", gettext("Waiting for a worker"), None
