"""What is wrong just now, the worst first, each with the page that cures it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from yao_tasks.dashboard.configured import has_changed
from yao_tasks.dashboard.durable import has_runners, pauses
from yao_tasks.dashboard.durations import age
from yao_tasks.dashboard.pools import NEARLY_FULL, waiting_now
from yao_tasks.dashboard.readings import Reading, Unusable
from yao_tasks.dashboard.said import said
from yao_tasks.journal.sql import in_utc
from yao_tasks.models import Dashboard, PausedTask

# As a pool replaces stuck workers, at most.
MOST_REPLACED = 8
# A durable job that could run has waited for a process for so long (s).
OVERDUE = 15.0
# What an entry of the admin's log begins with (see `pause`).
PAUSED, RESUMED = "Paused", "Resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One thing. `level` is `red` or `amber`; its task's page cures it."""

    level: str
    icon: str
    task: str
    sentence: str


def wrongs(readings: Sequence[Reading | Unusable]) -> list[Wrong]:
    """All of them; empty where nothing is wrong."""
    found = [one for reading in readings for one in _of(reading)]
    found += _paused([one for one in readings if isinstance(one, Reading) and one.metrics["paused"]])
    return sorted(found, key=lambda one: one.level != "red")


def _of(reading: Reading | Unusable) -> Iterator[Wrong]:
    if isinstance(reading, Unusable):
        yield _red(reading.task, gettext("can't be used: no job can be added."))
        return
    task, now = reading.config.id, reading.metrics
    wanted = now["worker_nums"]
    # Those that hang are replaced, up to that number.
    if now["stuck"] >= wanted + min(reading.config.worker_nums, MOST_REPLACED):
        yield _red(task, gettext("all its workers hang: it takes no more jobs."))
    elif now["stuck"]:
        text = ngettext("%(count)d worker hangs.", "%(count)d workers hang.", now["stuck"])
        yield _red(task, text % {"count": now["stuck"]})
    if "durable" in reading.supports and not now["paused"] and _nobody_runs(now):
        yield _red(task, gettext("its jobs wait in the database, and no process runs them: start runtasks."))
    if now["trouble"]:
        yield _red(task, said(now["trouble"]).text)
    if now["queued"] >= reading.config.size:
        yield _red(task, gettext("its queue is full: jobs are refused, or will be."))
    elif now["queued"] >= reading.config.size * NEARLY_FULL:
        yield _amber(task, gettext("its queue is nearly full."))
    if has_changed(reading.config):
        yield _amber(task, gettext("its file has changed since this process read it."))


def _nobody_runs(now: Mapping[str, Any]) -> bool:
    # Asked only where something is due and has waited: most often nothing has.
    return waiting_now(now) > 0 and now["oldest_waiting"] > OVERDUE and not has_runners()


def _paused(readings: Sequence[Reading]) -> Iterable[Wrong]:
    """Who paused these, as far as the admin's log tells: a program may have done it, too."""
    durable = [one for one in readings if "durable" in one.supports]
    for reading in durable:
        yield _amber(reading.config.id, _by_row(pauses().get(reading.config.id)), icon="paused")
    readings = [one for one in readings if one not in durable]
    if not readings:
        return
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Dashboard),
        object_id__in=[one.config.id for one in readings],
        # Long logs are read from their end; a process that has been paused for longer is a case for people.
        action_time__gte=timezone.now() - timedelta(days=30),
    ).select_related("user")
    # The latest of each comes last.
    latest = {
        entry.object_id: entry
        for entry in entries.order_by("action_time", "pk")
        if entry.change_message.startswith((PAUSED, RESUMED))
    }
    for reading in readings:
        entry = latest.get(reading.config.id)
        if entry is None or entry.change_message.startswith(RESUMED):
            yield _amber(reading.config.id, gettext("is paused."), icon="paused")
            continue
        since = age((timezone.now() - entry.action_time).total_seconds())
        said = {"user": entry.user.get_username(), "age": since}
        yield _amber(reading.config.id, gettext("was paused by %(user)s, %(age)s.") % said, icon="paused")


def _by_row(row: PausedTask | None) -> str:
    if row is None:
        return gettext("is paused.")
    moment = in_utc(row.paused_at)
    since = age(0.0 if moment is None else max(0.0, (datetime.now(UTC) - moment).total_seconds()))
    if not row.paused_by:
        return gettext("was paused for all processes, %(age)s.") % {"age": since}
    said = {"user": row.paused_by, "age": since}
    return gettext("was paused for all processes by %(user)s, %(age)s.") % said


def _red(task: str, sentence: str) -> Wrong:
    return Wrong(level="red", icon="fault", task=task, sentence=sentence)


def _amber(task: str, sentence: str, icon: str = "fault") -> Wrong:
    return Wrong(level="amber", icon=icon, task=task, sentence=sentence)
