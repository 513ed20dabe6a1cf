"""Measures the peers whose jobs are rows, too, against durable jobs of ours in the same database.

Each in a process of its own, with an empty database; ours run in that process, the peer's in its worker.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from select import select
from time import perf_counter

import django

from benchmarks.children import measured_by
from benchmarks.figures import Scale
from benchmarks.figures.durable import drained, end_to_end
from benchmarks.jobs import DEADLINE
from benchmarks.loads import Load, pipe, timed_by
from benchmarks.report import per_job, spread, table
from benchmarks.rounds import Rounds, in_turns

NAMES = (
    "django_tasks_db_sqlite",
    "django_tasks_db_postgresql",
    "django_tasks_db_postgresql_kept",
    "procrastinate_postgresql",
)
HEADINGS = (
    "peer, its jobs being rows, and what is measured",
    "jobs a round",
    "a job of the peer's",
    "a durable job of ours",
    "ours is",
    "noise: the peer against itself",
)
# Ours, in a round: of the peer's as many as it can run in some seconds.
DURABLE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LastingPeer:
    """A task queue that keeps its jobs in Django's database."""

    name: str
    package: str
    """The distribution whose version is told."""
    vendor: str
    """The database, as Django names its vendor."""
    jobs: int
    """Jobs of a round."""
    load: Load
    """Adds jobs, each in a commit of its own, that do nothing but be counted."""
    working: Callable[[], AbstractContextManager[None]]
    """Meanwhile its worker runs."""
    apps: str
    """Django apps that it needs."""
    kept: bool = False
    """Whether connections are kept from one job to the next."""


def report(scale: Scale, names: Sequence[str]) -> str:
    """A table: those that are installed and whose database answers; the others with the reason."""
    rows, left_out = [], []
    for name in names:
        print(f"Measuring {name}, durable ...", file=sys.stderr)
        try:
            peer: LastingPeer = import_module(f"benchmarks.peers.{name}").LASTING
            count = scale.jobs(peer.jobs)
            with _database(peer) as config:
                measured = measured_by(
                    f"{__name__}.measured",
                    name,
                    scale.rounds,
                    count,
                    scale.jobs(DURABLE),
                    BENCH_APPS=f"yao_tasks {peer.apps}",
                    BENCH_DATABASE=config,
                )
        except ImportError as error:
            left_out.append(f"- {name}: not installed ({error}).")
        except RuntimeError as error:
            left_out.append(f"- {name}: {error}")
        else:
            rows += [_row(peer, what, Rounds(**rounds), count) for what, rounds in measured.items()]
    parts = [table(HEADINGS, rows)]
    return "\n\n".join([*parts, "\n".join(["Left out:", *left_out])] if left_out else parts)


def _row(peer: LastingPeer, what: str, rounds: Rounds, count: int) -> tuple[str, ...]:
    return (
        f"{peer.name} ({version(peer.package)}): {what}",
        f"{count:,}",
        per_job([*rounds.peer, *rounds.again], 1),
        per_job(rounds.ours, 1),
        f"**{spread([1 / ratio for ratio in rounds.ratios])} as fast**",
        spread(rounds.noise),
    )


@contextmanager
def _database(peer: LastingPeer) -> Iterator[str]:
    """An empty database, as settings name it, in JSON."""
    from tests.databases import database, no_server

    if peer.vendor != "sqlite" and (why := no_server(peer.vendor)):
        raise RuntimeError(why)
    with tempfile.TemporaryDirectory() as folder, database(peer.vendor, Path(folder)) as config:
        yield json.dumps({**config, "CONN_MAX_AGE": None if peer.kept else 0}, default=str)


def measured(name: str, rounds: str, count: str, durable: str) -> dict[str, dict[str, Sequence[float]]]:
    """In a child: seconds a job, the peer's in turns with ours."""
    django.setup()
    from django.core.management import call_command

    from yao_tasks import boot

    call_command("migrate", verbosity=0)
    peer: LastingPeer = import_module(f"benchmarks.peers.{name}").LASTING
    theirs, ours = int(count), int(durable)
    boot.house().work()
    with pipe() as reader:
        with peer.working():
            whole = in_turns(
                int(rounds),
                ours=lambda: end_to_end(ours) / ours,
                peer=lambda: timed_by(reader, peer.load, theirs) / theirs,
            )
        emptied = in_turns(
            int(rounds),
            ours=lambda: drained(ours) / ours,
            peer=lambda: _drained(reader, peer, theirs) / (theirs - 1),
        )
    return {"from end to end": asdict(whole), "what waits, drained": asdict(emptied)}


def _drained(reader: int, peer: LastingPeer, count: int) -> float:
    """Seconds from the first job of a worker, which takes a while to start, to its last one."""
    peer.load(count)
    with peer.working():
        if not select([reader], [], [], DEADLINE)[0]:
            raise RuntimeError(f"No job has run within {DEADLINE} s.")
        # What has run when the first is seen is one or two.
        ran, start = len(os.read(reader, count)), perf_counter()
        while ran < count:
            if not select([reader], [], [], DEADLINE)[0]:
                raise RuntimeError(f"{ran} of {count} jobs have run when none came for {DEADLINE} s.")
            ran += len(os.read(reader, count - ran))
        return perf_counter() - start
