"""Measures one peer after the other, each in a process of its own, in turns with ours there."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version

import django

from benchmarks.children import measured_by
from benchmarks.figures import Scale
from benchmarks.loads import adding, pipe, timed, timed_by
from benchmarks.peers import NAMES, REDIS, REDIS_URL, Peer
from benchmarks.report import per_job, spread, table
from benchmarks.rounds import Rounds, in_turns

HEADINGS = (
    "peer",
    "jobs a round",
    "a job of the peer's",
    "a job of ours",
    "ours is",
    "noise: the peer against itself",
)

OURS = (
    "yao_tasks, in memory, 10 threads",
    (
        "No infrastructure. A job's state, progress and result can be seen, it waits for the caller's commit, has "
        "a timeout and can be cancelled. It is lost with its process."
    ),
)


def report(scale: Scale, names: Sequence[str]) -> str:
    """The tables of the peers: those that are installed and whose service answers; the others with the reason."""
    rows, promises, left_out = [], [], []
    for name in names or NAMES:
        print(f"Measuring {name} ...", file=sys.stderr)
        try:
            peer: Peer = import_module(f"benchmarks.peers.{name}").PEER
            count = scale.jobs(peer.jobs)
            apps = f"yao_tasks {peer.apps}"
            rounds = Rounds(**measured_by(f"{__name__}.measured", name, scale.rounds, count, BENCH_APPS=apps))
        except ImportError as error:
            left_out.append(f"- {name}: not installed ({error}).")
        except RuntimeError as error:
            left_out.append(f"- {name}: {error}")
        else:
            rows.append(_row(peer, rounds, count))
            promises.append((peer.name, peer.promises))
    parts = [table(HEADINGS, rows), table(("peer", "what it promises for that"), [OURS, *promises])]
    return "\n\n".join([*parts, "\n".join(["Left out:", *left_out])] if left_out else parts)


def _row(peer: Peer, rounds: Rounds, count: int) -> tuple[str, ...]:
    return (
        f"{peer.name} ({version(peer.package)})",
        f"{count:,}",
        per_job([*rounds.peer, *rounds.again], count),
        per_job(rounds.ours, count),
        f"**{spread([1 / ratio for ratio in rounds.ratios])} as fast**",
        spread(rounds.noise),
    )


def measured(name: str, rounds: str, count: str) -> dict[str, Sequence[float]]:
    """In a child: the peer, in turns with ours, which adds as many jobs to a pool of ten threads."""
    django.setup()
    peer: Peer = import_module(f"benchmarks.peers.{name}").PEER
    jobs = int(count)
    with _redis(peer), pipe() as reader, peer.running() as load:
        return asdict(
            in_turns(
                int(rounds),
                ours=lambda: timed(adding("nothing"), jobs),
                peer=lambda: timed_by(reader, load, jobs) if peer.elsewhere else timed(load, jobs),
            )
        )


@contextmanager
def _redis(peer: Peer) -> Iterator[None]:
    """Our own database of Redis, empty before and after."""
    if not peer.redis:
        yield
        return
    from redis import Redis, RedisError

    redis = Redis.from_url(REDIS_URL, socket_connect_timeout=2)
    try:
        keys = redis.dbsize()
    except RedisError as error:
        raise RuntimeError(f"{REDIS_URL} doesn't answer ({error}).") from error
    if keys:
        raise RuntimeError(
            f"Database {REDIS} of Redis isn't empty. It would be emptied: free it, or set another."
        )
    try:
        yield
    finally:
        redis.flushdb()
