"""What durable jobs cost: to add, to drain, from end to end, and until they start."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, perf_counter, sleep, time

from django.db import connections, transaction
from django.utils import timezone

from benchmarks.databases import NAMES, database_of
from benchmarks.figures import Scale
from benchmarks.jobs import finish, latencies
from benchmarks.peers.worker import worker
from benchmarks.report import Row, faster, quartiles
from benchmarks.rounds import Rounds, in_turns

ARGUMENTS = ("ada@example.org", 3)
# Long enough for every thread to fall asleep (s).
PAUSE = 0.02


def durable_add(scale: Scale) -> list[Row]:
    """`add` of a durable job in a transaction, against `create()` of the same row there."""
    return [_add(scale, vendor) for vendor in NAMES]


def durable_drain(scale: Scale) -> list[Row]:
    """Committed jobs that 10 workers run, against bare INSERTs in commits of their own."""
    return [_drain(scale, vendor) for vendor in NAMES]


def durable_end_to_end(scale: Scale) -> list[Row]:
    """One producer that commits each job, until all have ended; against that producer alone, with `create()`."""
    return [_end_to_end(scale, vendor) for vendor in NAMES]


def durable_latency(scale: Scale) -> list[Row]:
    """From the commit to the handler's start, in the same idle process."""
    return [_latency(scale, vendor) for vendor in NAMES]


def durable_across(scale: Scale) -> list[Row]:
    """From the commit in one process to the start in another, both idle."""
    return [_across(scale, vendor) for vendor in NAMES]


def durable_million(scale: Scale) -> list[Row]:
    """Drain and end to end with a million ended rows in the table, against the same without them."""
    return [row for vendor in NAMES for row in _million(scale, vendor)]


def _add(scale: Scale, vendor: str) -> Row:
    count = scale.jobs(2_000)
    with _site(vendor, works=False) as alias:
        from yao_tasks import tasks

        def ours() -> float:
            start = perf_counter()
            with transaction.atomic(using=alias):
                for _ in range(count):
                    tasks["durable"].add(*ARGUMENTS)
            return _emptied(alias, perf_counter() - start)

        def peer() -> float:
            start = perf_counter()
            with transaction.atomic(using=alias):
                for number in range(count):
                    _create(alias, number)
            return _emptied(alias, perf_counter() - start)

        rounds = in_turns(scale.rounds, ours=ours, peer=peer)
    return faster(f"durable `add` in a transaction, {NAMES[vendor]}", rounds, jobs=count, peer="`create()`")


def _drain(scale: Scale, vendor: str) -> Row:
    count, fewer = scale.jobs(10_000), scale.jobs(1_000)
    with _site(vendor) as alias:

        def ours() -> float:
            return _emptied(alias, drained(count) / count)

        def peer() -> float:
            start = perf_counter()
            for number in range(fewer):
                _insert(alias, number)
            return _emptied(alias, (perf_counter() - start) / fewer)

        rounds = in_turns(scale.rounds, ours=ours, peer=peer)
    what = f"{count:,} durable jobs drained by 10 workers, {NAMES[vendor]}"
    return faster(what, rounds, jobs=1, peer="bare INSERT, committed")


def _end_to_end(scale: Scale, vendor: str) -> Row:
    count = scale.jobs(1_000)
    with _site(vendor) as alias:

        def ours() -> float:
            return _emptied(alias, end_to_end(count, alias))

        def peer() -> float:
            start = perf_counter()
            for number in range(count):
                with transaction.atomic(using=alias):
                    _create(alias, number)
            return _emptied(alias, perf_counter() - start)

        rounds = in_turns(scale.rounds, ours=ours, peer=peer)
    what = f"durable, committed one by one, until all have ended, {NAMES[vendor]}"
    return faster(what, rounds, jobs=count, peer="`create()` alone")


def _million(scale: Scale, vendor: str) -> list[Row]:
    from tests.million import long_history

    count, fewer = scale.jobs(5_000), scale.jobs(1_000)
    measures = {
        f"{count:,} durable jobs drained": lambda: drained(count) / count,
        "durable, committed one by one, until all have ended": lambda: end_to_end(fewer, alias) / fewer,
    }
    with _site(vendor, RECORD_MAX=10_000_000) as alias:
        # Not in turns, since filling takes a minute.
        before = [_several(measure, alias, scale.rounds) for measure in measures.values()]
        again = [_several(measure, alias, scale.rounds) for measure in measures.values()]
        long_history(alias, "filler", 10_000 if scale.quick else 1_000_000)
        after = [_several(measure, alias, scale.rounds) for measure in measures.values()]
    each = zip(measures, before, after, again, strict=True)
    return [
        faster(
            f"{what}, with a million ended rows, {NAMES[vendor]}",
            Rounds(ours=ours, peer=one, again=two),
            jobs=1,
            peer="without these",
        )
        for what, one, ours, two in each
    ]


def _several(measure: Callable[[], float], alias: str, rounds: int) -> list[float]:
    return [_emptied(alias, measure()) for _ in range(rounds + 1)][1:]


def drained(count: int) -> float:
    """Seconds for so many jobs that wait, until all have run and their ends are committed."""
    from yao_tasks import tasks

    pool = tasks["durable"]
    pool.pause()
    pool.add_many([ARGUMENTS] * count)
    finish.expect(count)
    start = perf_counter()
    pool.resume()
    return _ended(start)


def end_to_end(count: int, alias: str = "default") -> float:
    """Seconds for so many jobs, each committed by itself, until all have run and their ends are committed."""
    from yao_tasks import tasks

    finish.expect(count)
    start = perf_counter()
    for _ in range(count):
        with transaction.atomic(using=alias):
            tasks["durable"].add(*ARGUMENTS)
    return _ended(start)


def _ended(start: float) -> float:
    finish.wait()
    all_written()
    return perf_counter() - start


def _latency(scale: Scale, vendor: str) -> Row:
    count = scale.jobs(300)
    with _site(vendor) as alias:
        from yao_tasks import tasks

        waits = []
        for _ in range(count):
            latencies.clear()
            finish.expect(1)
            with transaction.atomic(using=alias):
                began = perf_counter()
                tasks["durable_started"].add(began)
            committed = perf_counter()
            finish.wait()
            waits.append(latencies[0] - (committed - began))
            sleep(PAUSE)
    return _times(f"durable, idle: from the commit to the handler's start, median, {NAMES[vendor]}", waits)


def _across(scale: Scale, vendor: str) -> Row:
    count = scale.jobs(100)
    with _site(vendor, works=False) as alias, _runtasks(alias):
        from yao_tasks import tasks

        pool = tasks["durable_moment"]
        pool.wait(pool.add(), 60)
        waits = []
        for _ in range(count):
            sleep(PAUSE)
            with transaction.atomic(using=alias):
                job_id = pool.add()
            committed = monotonic()
            waits.append(pool.wait(job_id, 60).response - committed)
    return _times(
        f"durable, idle: from the commit to the start in another process, median, {NAMES[vendor]}", waits
    )


@contextmanager
def _runtasks(alias: str) -> Iterator[None]:
    """Another process, at work on the same database."""
    config = {name: value for name, value in connections.settings[alias].items() if name != "TEST"}
    os.environ["BENCH_DATABASE"] = json.dumps(config, default=str)
    try:
        with worker("-m", "django", "runtasks"):
            yield
    finally:
        del os.environ["BENCH_DATABASE"]


def _times(what: str, seconds: Sequence[float]) -> Row:
    low, middle, high = (value * 1e3 for value in quartiles(seconds))
    return Row(
        what=what, ours=f"{middle:.2f} ms", peer="", ratio=f"**{middle:.2f} ms** ({low:.2f}-{high:.2f})"
    )


@contextmanager
def _site(vendor: str, *, works: bool = True, **others: object) -> Iterator[str]:
    """A database, and this process at work for it."""
    from django.conf import settings

    from yao_tasks import boot, conf

    before = settings.YAO_TASKS
    with database_of(vendor, "durable") as alias:
        settings.YAO_TASKS = {**before, "DATABASE": alias, **others}
        conf.reset()
        boot.reset()
        if works:
            boot.house().work()
        try:
            yield alias
        finally:
            settings.YAO_TASKS = before
            conf.reset()
            boot.reset()


def all_written() -> None:
    """Wait until the ends of all that ran here are committed."""
    from yao_tasks import boot

    lives: Callable[[], int] = boot.house().live
    while lives():
        sleep(0.0005)


def _emptied(alias: str, seconds: float) -> float:
    from yao_tasks.models import JobRecord

    # The last ones alone: there may be a million before them.
    rows = JobRecord.objects.using(alias).order_by("-pk")
    last = rows.filter(task="filler").values_list("pk", flat=True).first() or 0
    rows.filter(pk__gt=last).delete()
    return seconds


def _create(alias: str, number: int) -> None:
    from yao_tasks.models import JobRecord

    JobRecord.objects.using(alias).create(
        task="bare", job_id=number, status=3, args='[["ada@example.org",3],{}]', added_at=timezone.now()
    )


def _insert(alias: str, number: int) -> None:
    """The same row by the driver alone, in a commit of its own."""
    from yao_tasks.journal.durable.drafts import Draft, bare_insert

    draft = Draft(task="bare", job_id=number, args='[["ada@example.org",3],{}]', added_at=time())
    statement, values = bare_insert(connections[alias], draft)
    with connections[alias].cursor() as cursor:
        cursor.cursor.execute(statement, values)
