"""`python -m benchmarks` works, and its arithmetic is right. How fast anything is, no test can say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.jobs import Finish
from benchmarks.report import faster, table
from benchmarks.rounds import Rounds, in_turns, quartiles

ROOT = Path(__file__).parent.parent
RATIO = re.compile(r"\| \*\*\d+\.\d\dx \(\d+\.\d\d-\d[\d.,]*\)")


def benchmarks(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def rows_of(printed: str) -> list[str]:
    """The rows of the table that was printed, below its heading."""
    heading, *rows = [line for line in printed.splitlines() if line.startswith("| ") and "---" not in line]
    assert heading.startswith("| what | yao_tasks | peer | ratio")
    return rows


@pytest.mark.slow
def test_the_command_prints_a_table_of_ratios() -> None:
    figures = [
        "end_to_end",
        "futures_kept",
        "busy_add",
        "latency",
        "short_jobs",
        "coroutines",
        "short_coroutines",
    ]

    done = benchmarks("--quick", "--rounds", "2", *[word for name in figures for word in ("--only", name)])

    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)
    assert len(rows) == len(figures)
    assert all(RATIO.search(row) for row in rows), done.stdout
    assert f"Python {sys.version.split()[0]}" in done.stdout


@pytest.mark.slow
def test_the_command_measures_everything() -> None:
    done = benchmarks("--quick", "--rounds", "1")

    assert done.returncode == 0, done.stderr
    assert len(rows_of(done.stdout)) >= done.stderr.count("Measuring ") > 15
    assert "| **0** |" in done.stdout, "an idle process woke up"


@pytest.mark.slow
def test_an_unknown_name_is_told_with_those_that_there_are() -> None:
    done = benchmarks("--only", "end_to_ned")

    assert done.returncode == 1
    assert "Nothing is named end_to_ned here. There are end_to_end, futures_kept" in done.stderr


@pytest.mark.slow
def test_the_peer_is_measured_before_and_after_ours_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []

    def measure(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    rounds = in_turns(2, ours=lambda: measure("ours"), peer=lambda: measure("peer"))

    assert calls == ["peer", "ours", "peer"] * 3
    assert (rounds.peer, rounds.ours, rounds.again) == ((4, 7), (5, 8), (6, 9))


def test_a_ratio_is_that_of_the_medians_round_by_round() -> None:
    rounds = Rounds(ours=[1e-3, 2e-3, 8e-3], peer=[2e-3, 4e-3, 3e-3], again=[4e-3, 4e-3, 5e-3])

    row = faster("empty jobs", rounds, jobs=1_000)

    assert rounds.ratios == pytest.approx([1 / 3, 1 / 2, 2])
    assert rounds.noise == pytest.approx([2, 1, 5 / 3])
    assert row.cells[:4] == ("empty jobs", "2.00 µs", "4.00 µs", "**2.00x (0.50-3.00) as fast**")


def test_half_of_the_values_lie_between_the_quartiles() -> None:
    assert quartiles([9, 1, 8, 2, 7, 3, 6, 4, 5]) == (3, 5, 7)


def test_a_job_that_runs_twice_is_noticed() -> None:
    finish = Finish()
    finish.expect(2)
    finish()
    finish()
    finish.wait()
    finish()

    with pytest.raises(RuntimeError, match="3 jobs have run where 2 were added"):
        finish.check()


def test_a_table_is_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
