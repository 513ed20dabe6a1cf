"""The pools as a table shows them: numbers and bars, or the sentence that says why a task can't be used."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext

from yao_tasks import conf
from yao_tasks.core.definitions import most_workers
from yao_tasks.dashboard.durations import duration, measured, waited
from yao_tasks.dashboard.readings import Reading, Unusable
from yao_tasks.dashboard.said import Said, said

# From here on a queue is called nearly full.
NEARLY_FULL = 0.8
# Jobs a minute are the average of so many full minutes.
RATE_MINUTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much of something is used. `level` is `amber`, `red` or empty; `word` says the same to all who read."""

    value: int
    most: int
    level: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where a thread that is stuck is just now: whose it is, and Python's own text."""

    head: Said
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What the reader may do with a pool; 0 for a number of workers that can't be."""

    pause: bool = False
    resume: bool = False
    purge: bool = False
    add: bool = False
    fewer: int = 0
    more: int = 0
    resize: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """One line of the table of pools. A task that can't be used has its id and its `fault` only."""

    task: str
    name: str = ""
    fault: str = ""
    paused: bool = False
    controls: Controls = Controls()
    workers: Bar | None = None
    worker_max: int = 0
    """The definition's, where it lets the pool grow; else 0."""
    resized: Said | None = None
    """Why the pool grew or shrank last."""
    trouble: Said | None = None
    """Why its workers can't start, or what becomes of them."""
    stuck: int = 0
    stacks: tuple[Stack, ...] = ()
    """Of the stuck threads, for those who may steer."""
    queue: Bar | None = None
    oldest_waiting: str = ""
    delayed: int = 0
    rate: str = ""
    """Jobs a minute."""
    wait: str = ""
    """95 % of the last hour's jobs waited no longer; empty where none has ended."""
    run: str = ""
    """95 % of the last hour's jobs ran no longer."""
    succeeded: int = 0
    failed: int = 0
    failures: str = ""
    """The failures by kind, where there are any."""
    retried: int = 0
    refused: int = 0
    failed_events: int = 0
    slow_events: tuple[Said, ...] = ()
    kind: str = ""
    """Its engine and its kind of workers."""
    is_memory_only: bool = True
    left: str = ""
    """How long it takes at this rate until nothing waits; empty where that can't be said."""
    success: str = ""
    """How many percent of the last hour's jobs succeeded; empty where none has ended."""
    last_error: str = ""


def pool_row(reading: Reading | Unusable, *, may_operate: bool, last_error: str = "") -> PoolRow:
    """The pool's line."""
    if isinstance(reading, Unusable):
        return PoolRow(task=reading.task, fault=reading.fault)
    now, config = reading.metrics, reading.config
    return PoolRow(
        task=config.id,
        name=config.name,
        paused=now["paused"],
        controls=controls(reading) if may_operate else Controls(),
        workers=Bar(value=now["running"], most=now["worker_nums"]),
        worker_max=config.worker_max or 0,
        resized=said(now["resized"]) if now["resized"] else None,
        trouble=said(now["trouble"]) if now["trouble"] else None,
        stuck=now["stuck"],
        stacks=tuple(map(_stack, now["stacks"])) if may_operate else (),
        queue=queue_bar(now["queued"], config.size),
        oldest_waiting=waited(now["oldest_waiting"], timezone.now()) if waiting_now(now) else "",
        delayed=now["delayed"],
        rate=_rate(now["minutes"]),
        wait=_p95(now["wait_time"]),
        run=_p95(now["run_time"]),
        succeeded=now["succeeded"],
        failed=sum(now["failed"].values()),
        failures=", ".join(_failures(now["failed"])),
        retried=now["retried"],
        refused=now["refused"],
        failed_events=now["failed_events"],
        slow_events=tuple(map(said, now["slow_events"])),
        kind=f"{config.engine or conf.current().engine} · {now['worker_type']}",
        is_memory_only=not reading.is_recorded,
        left=_left(now),
        success=_success(now["minutes"]),
        last_error=last_error,
    )


def controls(reading: Reading) -> Controls:
    """What can be done with the pool as it is now."""
    can, now = reading.supports, reading.metrics
    wanted, resize = now["worker_nums"], "resize" in reading.supports
    return Controls(
        pause="pause" in can and not now["paused"],
        resume="pause" in can and now["paused"],
        add="add" in can,
        purge="purge" in can and now["waiting"] > 0,
        resize=resize,
        fewer=wanted - 1 if resize else 0,
        more=wanted + 1 if resize and wanted < most_workers(now["worker_type"]) else 0,
    )


def waiting_now(metrics: Mapping[str, Any]) -> int:
    """How many jobs wait for a worker, those left out that are not due yet."""
    return max(0, int(metrics["waiting"]) - int(metrics["delayed"]))


def queue_bar(waiting: int, size: int) -> Bar:
    """How full a queue is, with a colour and a word once somebody should look."""
    if waiting >= size:
        return Bar(value=waiting, most=size, level="red", word=gettext("full"))
    if waiting >= size * NEARLY_FULL:
        return Bar(value=waiting, most=size, level="amber", word=gettext("nearly full"))
    return Bar(value=waiting, most=size)


def jobs_a_minute(minutes: Sequence[Mapping[str, int]]) -> float:
    """How many jobs end in a minute, of late; `minutes` as in `metrics()`, the last of them under way.

    A process that has just begun is measured from the first minute in which something ended.
    """
    *full, current = (minute["succeeded"] + minute["failed"] for minute in minutes[-RATE_MINUTES - 1 :])
    while full and not full[0]:
        full.pop(0)
    return sum(full) / len(full) if full else current


def _rate(minutes: Sequence[Mapping[str, int]]) -> str:
    rate = jobs_a_minute(minutes)
    return number_format(rate, 0 if rate >= 10 or rate == int(rate) else 1)


def _left(metrics: Mapping[str, Any]) -> str:
    rate, waiting = jobs_a_minute(metrics["minutes"]), waiting_now(metrics)
    return duration(waiting / rate * 60) if rate and waiting and not metrics["paused"] else ""


def _success(minutes: Sequence[Mapping[str, int]]) -> str:
    succeeded = sum(minute["succeeded"] for minute in minutes)
    ended = succeeded + sum(minute["failed"] for minute in minutes)
    return (
        gettext("%(percent)s %% in the last hour") % {"percent": int(100 * succeeded / ended)}
        if ended
        else ""
    )


def _p95(spread: Mapping[str, float]) -> str:
    return measured(spread["p95"]) if spread["max"] else ""


def _stack(text: str) -> Stack:
    head, _, rest = text.partition("\n")
    return Stack(head=said(head), text=rest)


def _failures(by_kind: Mapping[str, int]) -> Iterator[str]:
    words = {
        "raised": gettext("%(count)d raised"),
        "timeout": gettext("%(count)d timed out"),
        "cancelled": gettext("%(count)d cancelled"),
        "lost": gettext("%(count)d lost"),
    }
    return (words[kind] % {"count": count} for kind, count in by_kind.items() if count and kind in words)
