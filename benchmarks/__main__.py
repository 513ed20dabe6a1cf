"""`python -m benchmarks`: measures, and prints Markdown."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from benchmarks.figures import Scale


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        os.environ["BENCH_FOLDER"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
        django.setup()
        _measure(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure yao_tasks against its peers."
    )
    parser.add_argument(
        "--quick", action="store_true", help="only see that it works; the ratios mean nothing"
    )
    parser.add_argument(
        "--only", metavar="NAME", action="append", help="only this figure, or peer; may be repeated"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each figure (11; with --quick 3)")
    parser.add_argument(
        "--peers", action="store_true", help="measure against other task queues, instead of threads"
    )
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    from benchmarks.figures import Scale
    from benchmarks.report import surroundings

    scale = Scale(rounds=options.rounds or (3 if options.quick else 11), quick=options.quick)
    print(surroundings(scale.rounds), end="\n\n", flush=True)
    print(_peers(scale, options.only or []) if options.peers else _figures(scale, options.only or []))


def _figures(scale: "Scale", names: list[str]) -> str:
    from benchmarks.figures import all_figures
    from benchmarks.report import HEADINGS, table

    figures = all_figures()
    _refuse_unknown(names, figures)
    rows = []
    for name in names or figures:
        print(f"Measuring {name} ...", file=sys.stderr)
        measured = figures[name](scale)
        rows += [row.cells for row in (measured if isinstance(measured, list) else [measured])]
    return table(HEADINGS, rows)


def _peers(scale: "Scale", names: list[str]) -> str:
    from benchmarks.peers import NAMES, lasting, measure

    _refuse_unknown(names, dict.fromkeys([*NAMES, *lasting.NAMES]))
    in_memory = [name for name in NAMES if not names or name in names]
    durable = [name for name in lasting.NAMES if not names or name in names]
    reports = [measure.report(scale, in_memory)] if in_memory else []
    return "\n\n".join([*reports, *([lasting.report(scale, durable)] if durable else [])])


def _refuse_unknown(names: list[str], known: Iterable[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"Nothing is named {', '.join(unknown)} here. There are {', '.join(known)}.")


if __name__ == "__main__":
    main()
