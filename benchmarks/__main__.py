"""`python -m benchmarks`: measures, and prints Markdown."""

import argparse
import os
import sys
import tempfile

import django


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
    from benchmarks.figures import Scale, all_figures
    from benchmarks.report import HEADINGS, surroundings, table

    scale = Scale(rounds=options.rounds or (3 if options.quick else 11), quick=options.quick)
    figures = all_figures()
    names = options.only or list(figures)
    unknown = [name for name in names if name not in figures]
    if unknown:
        sys.exit(f"No figure is named {', '.join(unknown)}. There are {', '.join(figures)}.")
    print(surroundings(scale.rounds), end="\n\n")
    rows = []
    for name in names:
        print(f"Measuring {name} ...", file=sys.stderr)
        rows.append(figures[name](scale).cells)
    print(table(HEADINGS, rows))


if __name__ == "__main__":
    main()
