"""What history costs: the one who adds a job, the writer of its rows, and the reader among a million."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from time import time as wall

from django.core.management import call_command
from django.db import transaction

from benchmarks.databases import database_of
from benchmarks.figures import Scale
from benchmarks.jobs import finish, gate_closed
from benchmarks.report import Row, faster, per_job, spread
from benchmarks.rounds import in_turns, quartiles
from yao_tasks.core.clock import Clock
from yao_tasks.core.jobs import READY, Job
from yao_tasks.core.lifecycle import Lifecycle

# What a sign-up mail is given.
ARGUMENTS = ("ada@example.org",)
NAMED = {"name": "Ada", "language": "en"}
DEADLINE = 120.0


def recorded_add(scale: Scale) -> Row:
    """What `add` of a recorded job takes longer than that of another, while workers are busy."""
    from yao_tasks import boot, tasks

    call_command("migrate", verbosity=0)
    count = scale.jobs(20_000)

    def adding(task: str) -> Callable[[], float]:
        pool = tasks[task]

        def add_all() -> float:
            finish.expect(10 + count)
            with gate_closed():
                for _ in range(10):
                    pool.add()
                start = perf_counter()
                for _ in range(count):
                    pool.add(*ARGUMENTS, **NAMED)
                seconds = perf_counter() - start
            finish.wait()
            # The writer is no matter of the next round.
            boot.house().home.journal.flush(DEADLINE)
            return seconds

        return add_all

    rounds = in_turns(scale.rounds, ours=adding("recorded"), peer=adding("behind_gate"))
    plain = [(one + two) / 2 for one, two in zip(rounds.peer, rounds.again, strict=True)]
    beyond = [(ours - peer) / count * 1e6 for ours, peer in zip(rounds.ours, plain, strict=True)]
    return Row(
        what=f"`add` of {count:,} recorded jobs while 10 workers are busy",
        ours=per_job(rounds.ours, count),
        peer=f"not recorded {per_job(plain, count)}",
        ratio=f"**{quartiles(beyond)[1]:.1f} µs more**",
        noise=spread(rounds.noise),
    )


def rows_sqlite(scale: Scale) -> Row:
    """Rows that the writer writes, against `bulk_create` of the same."""
    return _rows(scale, "sqlite", "SQLite")


def rows_postgresql(scale: Scale) -> Row:
    """The same with PostgreSQL."""
    return _rows(scale, "postgresql", "PostgreSQL")


def rows_mariadb(scale: Scale) -> Row:
    """The same with MariaDB."""
    return _rows(scale, "mysql", "MariaDB")


def get_among_million(scale: Scale) -> Row:
    """`get` of an ended job that only its row remembers, in a table of a million, against one of a thousand."""
    from yao_tasks.journal import reading

    with database_of("sqlite") as few, ExitStack() as stack:
        many = stack.enter_context(database_of("sqlite", "many"))
        count, most = scale.jobs(1_000), 10_000 if scale.quick else 1_000_000
        _fill(few, 1_000)
        _fill(many, most)

        def getting(alias: str, rows: int) -> Callable[[], float]:
            # Spread over the table: what was read just now is in some cache.
            ids = [1 + number * 7_919 % rows for number in range(count)]

            def get_all() -> float:
                start = perf_counter()
                for job_id in ids:
                    row = reading.find(alias, "history", job_id=job_id)
                    assert row is not None
                    reading.draw(row)
                return perf_counter() - start

            return get_all

        rounds = in_turns(scale.rounds, ours=getting(many, most), peer=getting(few, 1_000))
    return Row(
        what=f"`get` of a job among {most:,} rows (SQLite)",
        ours=per_job(rounds.ours, count),
        peer=f"among 1,000 {per_job(rounds.peer, count)}",
        ratio=f"**{spread(rounds.ratios)} as long**",
        noise=spread(rounds.noise),
    )


def _rows(scale: Scale, vendor: str, name: str) -> Row:
    from yao_tasks.models import JobRecord

    count = scale.jobs(10_000)
    with database_of(vendor) as alias:

        def ours() -> float:
            journal, jobs = _ended_jobs(alias, count)
            journal.owner(None)  # type: ignore[arg-type]
            journal.start()
            start = perf_counter()
            for job in jobs:
                job.row.touch(job)  # type: ignore[union-attr]
            assert journal.flush(DEADLINE)
            seconds = perf_counter() - start
            journal.close(DEADLINE)
            return _emptied(seconds)

        def peer() -> float:
            rows = _same_rows(alias, count)
            start = perf_counter()
            for first in range(0, count, 1_000):
                with transaction.atomic(using=alias):
                    JobRecord.objects.using(alias).bulk_create(rows[first : first + 1_000])
            return _emptied(perf_counter() - start)

        def _emptied(seconds: float) -> float:
            assert JobRecord.objects.using(alias).count() == count
            JobRecord.objects.using(alias).all().delete()
            return seconds

        rounds = in_turns(scale.rounds, ours=ours, peer=peer)
    return faster(f"{count:,} rows of ended jobs, {name}, against `bulk_create(1000)`", rounds, jobs=count)


def _ended_jobs(alias: str, count: int):  # type: ignore[no-untyped-def]
    """A journal of its own, and so many jobs that have ended and are still to be written."""
    from yao_tasks.journal.journal import Journal
    from yao_tasks.journal.pruning import Keep

    folder = Path(tempfile.gettempdir())
    journal = Journal(
        alias, most_result=2**20, keep=Keep(), role=lambda: "command", folder=folder, next_id=lambda: 0
    )
    life = Lifecycle("history", worker_nums=1, size=count, keeps_ended=True)
    rows, now = journal.rows_of("history", life), Clock().monotonic()
    jobs = []
    for number in range(1, count + 1):
        job = Job(number, ARGUMENTS, NAMED, now, wall())
        job.row = rows.row(job)
        life.admit(job, READY)
        attempt = life.start(job, "history-1", now)
        life.succeed(job, attempt, {"sent": True}, now, resting=True)
        jobs.append(job)
    return journal, jobs


def _same_rows(alias: str, count: int) -> list:  # type: ignore[type-arg]
    from yao_tasks.journal.sql import COLUMNS, aware
    from yao_tasks.models import JobRecord

    journal, jobs = _ended_jobs(alias, count)
    owner = journal.owner(None)
    values = (job.row.pool.values(job, owner, aware) for job in jobs)
    return [JobRecord(**dict(zip(COLUMNS, one, strict=True))) for one in values]


def _fill(alias: str, count: int) -> None:
    from yao_tasks.models import JobRecord

    for first in range(0, count, 10_000):
        rows = _same_rows(alias, min(10_000, count - first))
        for row in rows:
            row.job_id += first
        JobRecord.objects.using(alias).bulk_create(rows)
        time.sleep(0)
