"""The figures: each a function that measures and answers a row of the table."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.report import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured."""

    rounds: int
    quick: bool
    """Whether only to see that it works: tiny numbers, whose ratios mean nothing."""

    def jobs(self, many: int) -> int:
        """So many jobs, or a hundredth of them."""
        return max(20, many // 100) if self.quick else many


Figure = Callable[[Scale], Row | list[Row]]


def all_figures() -> dict[str, Figure]:
    """All figures, by the names that `--only` takes. Django must be set up."""
    from benchmarks.figures.coroutines import coroutines, short_coroutines
    from benchmarks.figures.durable import (
        durable_across,
        durable_add,
        durable_drain,
        durable_end_to_end,
        durable_latency,
        durable_million,
    )
    from benchmarks.figures.history import (
        get_among_million,
        recorded_add,
        rows_mariadb,
        rows_postgresql,
        rows_sqlite,
    )
    from benchmarks.figures.idle import idle
    from benchmarks.figures.latency import latency
    from benchmarks.figures.memory import memory
    from benchmarks.figures.million import million
    from benchmarks.figures.processes import apart, apart_latency, apart_memory
    from benchmarks.figures.startup import startup
    from benchmarks.figures.throughput import busy_add, end_to_end, futures_kept, short_jobs

    threads = (end_to_end, futures_kept, busy_add, latency, memory, million, short_jobs)
    memory_only = (*threads, coroutines, short_coroutines, startup, idle)
    history = (recorded_add, rows_sqlite, rows_postgresql, rows_mariadb, get_among_million)
    durable = (
        durable_add,
        durable_drain,
        durable_end_to_end,
        durable_latency,
        durable_across,
        durable_million,
    )
    figures = (*memory_only, *history, *durable, apart, apart_latency, apart_memory)
    return {figure.__name__: figure for figure in figures}
