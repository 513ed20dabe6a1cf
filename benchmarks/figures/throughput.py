"""How many jobs a second: empty ones from end to end, the adding alone, and short ones."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter, sleep

from benchmarks import jobs
from benchmarks.figures import Scale
from benchmarks.jobs import finish, gate_closed
from benchmarks.loads import Load, adding, timed
from benchmarks.report import Row, faster, per_job, spread
from benchmarks.rounds import in_turns


def end_to_end(scale: Scale) -> Row:
    """Jobs that do nothing, from the first `add` to the end of the last job."""
    count = scale.jobs(20_000)
    with ThreadPoolExecutor(10) as executor:
        rounds = in_turns(
            scale.rounds,
            ours=lambda: timed(adding("nothing"), count),
            peer=lambda: timed(submitting(executor, jobs.nothing), count),
        )
    return faster(f"{count:,} jobs that do nothing, 10 threads, end to end", rounds, jobs=count)


def futures_kept(scale: Scale) -> Row:
    """The same, but the peer keeps what yao_tasks does: how each job ended can be asked for afterwards."""
    count = scale.jobs(20_000)
    with ThreadPoolExecutor(10) as executor:
        rounds = in_turns(
            scale.rounds,
            ours=lambda: timed(adding("nothing"), count),
            peer=lambda: timed(keeping(executor, jobs.nothing), count),
        )
    return faster("the same, its futures kept in a list", rounds, jobs=count)


def busy_add(scale: Scale) -> Row:
    """`add` alone, while each worker is in a job."""
    count = scale.jobs(20_000)
    with ThreadPoolExecutor(10) as executor:
        rounds = in_turns(
            scale.rounds,
            ours=lambda: timed_adding(adding("behind_gate"), count),
            peer=lambda: timed_adding(submitting(executor, jobs.behind_gate), count),
        )
    return faster(f"`add` of {count:,} jobs while 10 workers are busy", rounds, jobs=count)


def short_jobs(scale: Scale) -> Row:
    """Jobs of 10 ms in 20 threads, against the time that these would take at best."""
    count = scale.jobs(1_000)
    ideal = count / 20 * 0.01
    with ThreadPoolExecutor(20) as executor:
        rounds = in_turns(
            scale.rounds,
            ours=lambda: timed(adding("short"), count),
            peer=lambda: timed(submitting(executor, jobs.short), count),
        )
    return Row(
        what=f"{count:,} jobs of 10 ms, 20 threads, against the ideal {ideal:g} s",
        ours=per_job(rounds.ours, count),
        peer=f"{per_job(rounds.peer, count)}, {spread([seconds / ideal for seconds in rounds.peer])} the ideal",
        ratio=f"**{spread([seconds / ideal for seconds in rounds.ours])} the ideal**",
        noise=spread(rounds.noise),
    )


def timed_adding(load: Load, count: int) -> float:
    """Seconds for the adding alone, with each worker in a job that waits."""
    finish.expect(20 + count)
    with gate_closed():
        load(20)
        # Until each worker is in one of them.
        sleep(0.01)
        start = perf_counter()
        load(count)
        seconds = perf_counter() - start
    finish.wait()
    finish.check()
    return seconds


def submitting(executor: ThreadPoolExecutor, job: Callable[[int], None]) -> Load:
    """Loads a ThreadPoolExecutor, with jobs that get a number as ours do."""

    def load(count: int) -> None:
        submit = executor.submit
        for number in range(count):
            submit(job, number)

    return load


def keeping(executor: ThreadPoolExecutor, job: Callable[[int], None]) -> Load:
    """The same, and answers the futures."""

    def load(count: int) -> list[Future[None]]:
        return [executor.submit(job, number) for number in range(count)]

    return load
