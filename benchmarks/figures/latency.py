"""How soon a job starts when nothing else is to be done."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter, sleep

from benchmarks import jobs
from benchmarks.figures import Scale
from benchmarks.jobs import finish, latencies
from benchmarks.report import Row, per_job, spread
from benchmarks.rounds import in_turns
from yao_tasks import tasks

# Long enough for every worker to fall asleep (s).
PAUSE = 0.001


def latency(scale: Scale) -> Row:
    """From `add` to the handler's start in an idle pool: the median of many, round by round."""
    count = scale.jobs(300)
    add = tasks["started"].add
    with ThreadPoolExecutor(10) as executor:
        rounds = in_turns(
            scale.rounds,
            ours=lambda: _middle(count, lambda: add(perf_counter())),
            peer=lambda: _middle(count, lambda: executor.submit(jobs.started, 0, perf_counter())),
        )
    return Row(
        what="idle: from `add` to the handler's start, median",
        ours=per_job(rounds.ours, 1),
        peer=per_job(rounds.peer, 1),
        ratio=f"**{spread(rounds.ratios)} as long**",
        noise=spread(rounds.noise),
    )


def _middle(count: int, add: Callable[[], object]) -> float:
    latencies.clear()
    for _ in range(count):
        finish.expect(1)
        add()
        finish.wait()
        sleep(PAUSE)
    assert len(latencies) == count
    return median(latencies)
